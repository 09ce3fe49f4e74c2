"""One year, then gone (notice, section 9)."""
