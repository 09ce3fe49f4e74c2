"""The published notice as data."""
