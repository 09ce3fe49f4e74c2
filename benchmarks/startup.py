"""How long an embedder waits before the first recording.

Work: `import kelarec` and the first and second `Archive.in_memory()` after it, each in a process of its own, compiled
before as pip leaves an installed package.
Baseline: a bare interpreter that imports the dependencies an archive needs, in the same run.
"""

import os
import statistics
import subprocess
import sys
import tempfile

RUNS = 7
MEASURED = """
from time import perf_counter
started = perf_counter()
{work}
print((perf_counter() - started) * 1000)
"""
IMPORT = "import kelarec"
DEPENDENCIES = (
    "import attrs, cattrs, fsspec.implementations.local, fsspec.implementations.memory, sqlalchemy, "
    "sqlalchemy.dialects.sqlite, cryptography.cobblestone"
)
FIRST = """
import kelarec
register = kelarec.kela_register
started = perf_counter()
kelarec.Archive.in_memory(register(contact_point="Registry office"))
"""
SECOND = """
import kelarec
register = kelarec.kela_register(contact_point="Registry office")
kelarec.Archive.in_memory(register)
started = perf_counter()
kelarec.Archive.in_memory(register)
"""


def milliseconds(work: str, compiled: str) -> float:
    """Return the median over fresh processes, after one that compiles what it imports into a folder."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = compiled
    command = [sys.executable, "-c", MEASURED.format(work=work)]
    _, *figures = [float(subprocess.check_output(command, env=environment)) for _ in range(1 + RUNS)]
    return statistics.median(figures)


def main() -> None:
    """Print each figure beside the baseline."""
    with tempfile.TemporaryDirectory() as compiled:
        print_figures(compiled)


def print_figures(compiled: str) -> None:
    """Print each figure, with a folder for what is compiled."""
    baseline = milliseconds(DEPENDENCIES, compiled)
    print(f"importing the dependencies alone   {baseline:7.0f} ms  (baseline)")
    for name, work, bound in (
        ("import kelarec", IMPORT, "150 ms"),
        ("first Archive.in_memory()", FIRST, "600 ms"),
        ("a further Archive.in_memory()", SECOND, "-"),
    ):
        figure = milliseconds(work, compiled)
        print(f"{name:<34} {figure:7.0f} ms  {figure / baseline:5.2f} of baseline  (aim {bound})")


if __name__ == "__main__":
    main()
