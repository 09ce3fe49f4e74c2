"""Custody of the keys: what there is, a new root key, and the one way out."""
