"""What a backend must pass before an archive is trusted to it: subclass a suite, give its fixtures, and run pytest."""

from kelarec.testing.suites.key_place import KeyPlaceSuite
from kelarec.testing.suites.root_key import RootKeySuite

__all__ = ["KeyPlaceSuite", "RootKeySuite"]
