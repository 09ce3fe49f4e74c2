"""Several processes write to one archive at the same time: nothing is lost, nothing doubled, nobody is refused."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import Final

import pytest
from sqlalchemy import func, select

from kelarec import Archive, Place, create_key_file, kela_register
from kelarec.storage import catalog_tables as tables
from kelarec.storage.recordings import Recordings
from kelarec.storage.search import Search, Searcher
from kelarec.testing.builders import make_identity_code
from log_writer import open_archive

WRITING: Final = Path(__file__).parent.parent / "recording_writer.py"


@pytest.mark.parametrize("each", [10, pytest.param(1000, marks=pytest.mark.deep)])
def test_four_processes_store_in_one_archive(tmp_path: Path, catalog_url: str, each: int) -> None:
    """What four processes store is found once each, with its tokens, and no writer meets an error."""
    create_key_file(tmp_path / "root.key")
    Archive.create(
        objects=Place(tmp_path / "archive", "FI"),
        keys=Place(tmp_path / "keys", "FI"),
        root_key=f"keyfile:{tmp_path / 'root.key'}",
        catalog=Place(catalog_url, "FI"),
        register=kela_register(contact_point="Registry office"),
    ).close()
    started = perf_counter()
    command = [sys.executable, str(WRITING), str(tmp_path), catalog_url]
    writers = [
        subprocess.Popen([*command, str(n), str(each)], stderr=subprocess.PIPE, text=True, cwd=WRITING.parent)
        for n in range(4)
    ]
    said = [writer.communicate(timeout=1800)[1] for writer in writers]
    taken = perf_counter() - started
    assert [writer.returncode for writer in writers] == [0, 0, 0, 0], said
    # an integrator that stalls on a busy machine is relieved by another, which it tells the application's log
    told = {line for each_said in said for line in each_said.splitlines()}
    assert told <= {"Log entries wait to be integrated: catalog"}
    with open_archive(tmp_path, catalog_url) as archive, archive._vault.database.begin() as connection:
        vault = archive._vault
        assert connection.execute(select(func.count()).select_from(tables.recordings)).scalar_one() == 4 * each
        search = Search(terms=[make_identity_code(n) for n in range(4)])
        opened = Searcher(vault, Recordings(vault)).find_page(connection, search).opened
    stored = Counter(each.record.details.contact.contact_id for each in opened)
    assert stored == Counter(f"{writer}-{number}" for writer in range(4) for number in range(each))
    print(f"\n{4 * each} recordings by 4 processes in {taken:.1f} s: {len(stored)} rows, 0 errors, 0 twice")
