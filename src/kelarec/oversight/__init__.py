"""Watching over an archive: rebuild, comparison of what its sides say."""
