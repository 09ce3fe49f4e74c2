"""The log of everything that was done, allowed or denied (notice, section 10)."""
