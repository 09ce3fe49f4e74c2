"""For those who embed kelarec: a pytest plugin, builders, strategies and conformance suites.

The plugin loads with pytest by itself; everything else is imported by name and needs hypothesis or pytest.
"""
