"""Killed between decision and first byte, never a read without its entry: notice of 18.8.2020, section 10."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

DRIVER: Final = Path(__file__).parent.parent / "killed_reader.py"


def kill_readers(folder: Path, kills: int, order: str, seed: int) -> dict[str, Any]:
    """Kill so many listening processes and return what came of it."""
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(folder), str(kills), order, str(seed)],
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    assert done.returncode == 0, done.stderr
    counts: dict[str, Any] = json.loads(done.stdout)
    print(f"\n{order}: {counts}")
    assert counts["kills"] == kills
    return counts


def test_the_harness_notices_an_entry_written_after_the_read(tmp_path: Path) -> None:
    """With the entry held back until after the read, kills do leave reads without an entry, and they are counted."""
    counts = kill_readers(tmp_path, 30, "read-first", seed=1)
    assert counts["unlogged reads"] > 0


def _require_no_unlogged_read(counts: dict[str, Any]) -> None:
    assert counts["unlogged reads"] == 0
    assert 0 < counts["read"] < counts["kills"], "kills before and after the first plaintext were among them"
    assert counts["logged"] > counts["read"], "kills between entry and first plaintext were among them"


def test_no_read_without_its_entry(tmp_path: Path) -> None:
    """Fifty processes are killed at fifty moments: what was read is in the log (section 10)."""
    _require_no_unlogged_read(kill_readers(tmp_path, 50, "entry-first", seed=2))


@pytest.mark.deep
def test_no_read_without_its_entry_a_thousand_times(tmp_path: Path) -> None:
    """A thousand processes are killed at a thousand moments: what was read is in the log (section 10)."""
    _require_no_unlogged_read(kill_readers(tmp_path, 1000, "entry-first", seed=3))
