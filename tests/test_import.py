"""Importing costs next to nothing, every name is there, and the examples run to their end."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import kelarec

EXAMPLES: Final = Path(__file__).parent.parent / "examples"
HEAVY: Final = ("sqlalchemy", "cattrs", "hypothesis", "phonenumbers", "fsspec", "cryptography")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own."""
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("module", ["kelarec", "kelarec.errors", "kelarec.testing", "kelarec.testing.plugin"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    """Neither kelarec nor its pytest plugin loads a database, cryptography or a property tester before it is used."""
    done = run("-c", f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])")
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_an_archive_on_sqlite_loads_no_other_database() -> None:
    """Who keeps the catalog on SQLite pays for no driver or dialect of PostgreSQL."""
    work = "import kelarec; kelarec.Archive.in_memory(kelarec.kela_register(contact_point='Registry office')).close()"
    heavy = ("sqlalchemy.dialects.postgresql", "psycopg", "asyncpg")
    done = run("-c", f"{work}; import sys; print([name for name in {heavy!r} if name in sys.modules])")
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_plugin_does_not_slow_another_suite(tmp_path: Path) -> None:
    """A suite that uses no fixture of ours pays for none: pytest starts with the plugin and nothing heavy."""
    test = "import sys\ndef test_it(request):\n    assert request.config.pluginmanager.hasplugin('kelarec')\n"
    test += "    assert [name for name in ('sqlalchemy', 'cattrs') if name in sys.modules] == []\n"
    (tmp_path / "test_other.py").write_text(test)
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", kelarec.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """Each name that kelarec promises can be imported from it, and is documented."""
    value = getattr(kelarec, name)
    assert value.__doc__
    assert name in dir(kelarec)


def test_no_other_name_is_there() -> None:
    """A name that kelarec does not have is an AttributeError like in any module."""
    with pytest.raises(AttributeError, match="no attribute 'Archives'"):
        _ = kelarec.Archives


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_every_example_runs_to_its_end(example: Path, tmp_path: Path) -> None:
    """What the documentation shows works, with warnings as errors, and leaves nothing behind."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout
    assert list(tmp_path.iterdir()) == []
