"""What a person can demand (notice, sections 11 to 14)."""
