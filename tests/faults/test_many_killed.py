"""A process with many live takes is killed; each holds all but at most its last second (notice, section 5)."""

import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

import pytest

from faults.many_lives import SPOKEN, STREAMED, sound
from faults.take_life import open_archive
from faults.test_killed import read_all
from kelarec import Archive, Place, create_key_file, kela_register
from kelarec.media.wav import parse_wav

FFMPEG: Final = shutil.which("ffmpeg")
AT_MOST: Final = 1.0


def make_stream(path: Path) -> bytes:
    """Make a minute of Opus at 8 kbit/s, or something that begins like it where no encoder is."""
    if FFMPEG is None:
        path.write_bytes(b"OggS" + bytes(range(256)) * 250)
    else:
        tone = "sine=frequency=440:duration=60"
        command = [FFMPEG, "-loglevel", "error", "-f", "lavfi", "-i", tone, "-c:a", "libopus", "-b:a", "8k", "-y"]
        subprocess.run([*command, "-page_duration", "200000", "-f", "ogg", str(path)], check=True)
    return path.read_bytes()


def plays(content: bytes) -> bool:
    """Whether a decoder that knows nothing of us plays a stream for more than a second."""
    if FFMPEG is None:
        return content.startswith(b"OggS")
    command = [FFMPEG, "-loglevel", "quiet", "-i", "pipe:0", "-f", "s16le", "-ar", "8000", "-ac", "1", "pipe:1"]
    decoded = subprocess.run(command, input=content, capture_output=True, check=False).stdout
    return len(decoded) > 2 * 8000


def kill_many(folder: Path, count: int, seconds: float, capsys: pytest.CaptureFixture[str]) -> None:
    """Let so many takes go on for some seconds, kill their process, recover, and look at each."""
    create_key_file(folder / "root.key")
    Archive.create(
        objects=Place(folder / "archive", "FI"),
        keys=Place(folder / "keys", "FI"),
        root_key=f"keyfile:{folder / 'root.key'}",
        spool=Place(folder / "spool", "FI"),
        register=kela_register(contact_point="Registry office"),
    ).close()
    stream = make_stream(folder / "stream.ogg")
    command = [sys.executable, "-m", "faults.many_lives", str(folder), str(count), str(folder / "stream.ogg")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        ticks: list[tuple[int, float]] = []

        def listen(lines: "object" = process.stdout) -> None:
            for line in lines:  # type: ignore[attr-defined]
                tick, at = line.split()
                ticks.append((int(tick), float(at)))

        listener = threading.Thread(target=listen)
        listener.start()
        time.sleep(seconds)
        killed_at = time.monotonic()
        process.send_signal(signal.SIGKILL)
        listener.join()
    due = max(tick for tick, at in ticks if at < killed_at - AT_MOST)
    with open_archive(folder) as archive:
        recovered = archive.capture.recover()
        assert len(recovered) == count
        assert archive.capture.recover() == ()
        found = read_all(archive)
    lost = 0
    for number in range(count):
        [(opened, parts)] = found[f"call {number}"]
        cut = opened.record.details.cut
        assert cut is not None
        assert cut.at == opened.record.recording.ended_at
        if number % 2:
            content = parts["audio"]
            whole = len(content) // STREAMED
            assert content == stream[: len(content)]
            assert number > 9 or plays(content)
        else:
            form = parse_wav(parts["audio"][:4096])
            content = parts["audio"][form.data_offset :]
            assert (form.data_length, form.channels) == (len(content), 2)
            whole = len(content) // SPOKEN
            assert content == b"".join(sound(number, tick) for tick in range(whole))
        assert whole >= due, f"call {number} lost {due - whole} ticks more than a second"
        lost = max(lost, len(ticks) - whole)
    with capsys.disabled():
        print(f"\n{count} live takes killed after {seconds} s: all recovered, at most {lost * 0.2:.1f} s lost")


def test_some_live_takes_are_killed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Thirty live takes, half in stereo G.711 and half streams of 8 kbit/s, lose at most their last second."""
    kill_many(tmp_path, 30, 3.3, capsys)


@pytest.mark.deep
def test_a_thousand_live_takes_are_killed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A thousand live takes lose at most their last second, play, and say that they were cut and when."""
    kill_many(tmp_path, 1000, 20.0, capsys)
