"""Sealed objects, keys and the catalog: where everything lies, and nothing in clear."""
