"""The notice's terms as values: pure, frozen, without I/O, clock or randomness."""
