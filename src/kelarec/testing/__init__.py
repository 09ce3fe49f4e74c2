"""For those who embed kelarec: a pytest plugin, a clock to move, builders, and hypothesis strategies.

The plugin loads with pytest by itself; everything else is imported by name. Strategies need hypothesis.
"""
