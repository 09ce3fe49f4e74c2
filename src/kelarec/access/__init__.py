"""Who may use what, and for which matter (notice, sections 4 and 10)."""
