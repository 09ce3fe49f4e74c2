"""Conformance suites: what every place must do, for the built-in backends and for those of others.

A suite is a class of pytest tests; subclass it and give the fixture that it names. They need pytest and hypothesis.
"""
