"""How contacts become recordings (notice, section 5)."""
