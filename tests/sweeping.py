"""One process that sweeps an archive on a server: of several that the tests start one stops and one dies in the middle.

sweeping.py <configuration as JSON> <file that tells what was deleted>
"""

import json
import os
import signal
import sys
from collections.abc import Iterable
from concurrent.futures import Executor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from kelarec import Archive, Place, System
from kelarec.errors import KelarecError
from kelarec.retention import clearing


def signal_itself(sign: signal.Signals) -> None:
    """Tell where it is, with the objects gone and their rows still there, and stop or die; once."""
    print(sign.name, flush=True)
    os.kill(os.getpid(), sign)


def main(configuration: str, told: str) -> None:
    """Open the archive, say so, sweep when told to, and print what was removed."""
    known: dict[str, Any] = json.loads(configuration)
    at = datetime.fromisoformat(known["at"]) + timedelta(seconds=known["clock_off_by"])
    vars(clearing)["RECORDINGS_AT_ONCE"] = 3
    keys = {"key": known["key"], "secret": known["secret"]}
    archive = Archive.open(
        objects=Place(known["objects"], "FI", options=known["options"]),
        keys=Place(Path(known["keys"]), "FI"),
        root_key=known["root_key"],
        catalog=Place(known["catalog"], "FI"),
        credentials=lambda _: keys,
        clock=lambda: at,
    )
    objects = archive._vault.objects
    delete_many = objects.delete_many

    def delete_and_tell(paths: Iterable[str], executor: Executor | None = None) -> None:
        listed = list(paths)
        with Path(told).open("a", encoding="utf-8") as file:
            file.writelines(f"{path}\n" for path in listed)
        delete_many(listed, executor)
        if known.get("ends") and any(path.startswith("recordings/") for path in listed):
            signal_itself(signal.Signals[known.pop("ends")])

    objects.delete_many = delete_and_tell  # type: ignore[method-assign]  # to see what it deletes
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        swept = archive.retention.sweep(by=System(f"sweep@{known['name']}"))
    except KelarecError as error:
        print(json.dumps({"error": f"{error.code}: {error}"}), flush=True)
    else:
        counts = {"recordings": sum(each.recordings for each in swept), "unfinished": len(swept.unfinished)}
        print(json.dumps(counts), flush=True)
    archive.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
