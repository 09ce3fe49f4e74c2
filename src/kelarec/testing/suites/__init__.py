"""Conformance suites: what a backend must pass before an archive is trusted to it.

A suite is a class of pytest tests: subclass it, give the fixture that it names, and run pytest. They need pytest and
hypothesis.
"""

from kelarec.testing.suites.key_place import KeyPlaceSuite
from kelarec.testing.suites.object_place import ObjectPlaceSuite
from kelarec.testing.suites.root_key import RootKeySuite

__all__ = ["KeyPlaceSuite", "ObjectPlaceSuite", "RootKeySuite"]
