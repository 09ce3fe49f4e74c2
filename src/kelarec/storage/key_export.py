"""What one must import to have a data key handed out, so that every place which does so is found by its name."""

from typing import Final


class UnsafeExportToken:
    """Says that the caller knows what handing out a key means. There is one, `UNSAFE_EXPORT_TOKEN`."""

    __slots__ = ()


UNSAFE_EXPORT_TOKEN: Final = UnsafeExportToken()
"""Whoever has an exported key reads that recording as long as its sealed bytes exist, beyond each end and erasure."""
