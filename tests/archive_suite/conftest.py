"""Fixtures of the archive suite."""

from archive_stages import stage, stage_archive  # noqa: F401  fixtures
