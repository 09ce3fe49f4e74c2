"""Fixtures of the archive suite."""

from archive_stages import stage as stage
from archive_stages import stage_archive as stage_archive
