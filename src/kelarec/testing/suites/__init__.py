"""Conformance suites: subclass one and give it a backend; pytest runs every rule that the backend must keep."""
