"""The RTP receiver of the examples: asyncio needs no twin of kelarec, and what a real sender sent is what is kept."""

import asyncio
import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kelarec import Archive, Place, create_key_file, kela_register
from kelarec.audit.verify import main as verify
from kelarec.media.wav import parse_wav
from kelarec.storage.recordings import Recordings
from kelarec.storage.sealing import SealedReader
from object_servers import require

SAMPLES: Final = 160


def load_example() -> ModuleType:
    """Load the example as a module."""
    path = Path(__file__).parent.parent / "examples" / "rtp_receiver.py"
    spec = importlib.util.spec_from_file_location("rtp_receiver", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


EXAMPLE: Final = load_example()


class Written:
    """A part that keeps what is written."""

    def __init__(self) -> None:
        self.content = b""

    def write(self, chunk: bytes) -> None:
        """Keep it."""
        self.content += chunk


def packet_of(number: int) -> bytes:
    """Return the samples of one packet of 20 ms."""
    return (number + 1).to_bytes(2, "big") * (SAMPLES // 2)


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, 5), min_size=5, max_size=40),
    st.sets(st.integers(1, 38), max_size=6),
)
def test_jitter_is_put_in_order_and_loss_is_silence(begun_at: int, delays: list[int], lost: set[int]) -> None:
    """However packets are delayed, doubled or lost, each sample stands at its time; time stamps may run over 2^32."""
    count = len(delays)
    lost &= set(range(1, count - 1))
    sent = [number for number in range(count) if number not in lost]
    arrived = [0, *sorted(sent[1:], key=lambda number: number + delays[number])]
    part = Written()
    buffer = EXAMPLE.ReorderBuffer(part)
    for number in [*arrived[:1], *arrived]:
        buffer.put((begun_at + number * SAMPLES) % 2**32, packet_of(number))
    buffer.finish()
    silence = EXAMPLE.SILENCE * SAMPLES
    assert part.content == b"".join(silence if number in lost else packet_of(number) for number in range(count))
    assert (buffer.lost_samples, buffer.late_packets) == (len(lost) * SAMPLES, 1)


def record_for(seconds: float, folder: Path) -> None:
    """Record a real sender's call, and compare what is kept with what was sent, sample by sample."""
    require(shutil.which("ffmpeg"), "ffmpeg, the sender,")
    create_key_file(folder / "root.key")
    sound = folder / "sent.wav"
    asyncio.run(EXAMPLE.make_sound(sound, seconds))
    with Archive.create(
        objects=Place(folder / "archive", "FI"),
        keys=Place(folder / "keys", "FI"),
        root_key=f"keyfile:{folder / 'root.key'}",
        spool=Place(folder / "spool", "FI"),
        register=kela_register(contact_point="Registry office"),
    ) as archive:
        recording, buffer = asyncio.run(EXAMPLE.take_call(archive, sound))
        recordings = Recordings(archive._vault)
        with archive._vault.database.begin() as connection:
            opened = recordings.find_one(connection, recording.id)
        assert opened is not None
        [part] = opened.record.details.parts
        with recordings.open_part(opened, part, lambda: None, SealedReader) as reader:
            kept = reader.read()
    assert verify([str(folder / "archive" / "audit"), (folder / "archive" / "audit" / "key").read_text().strip()]) == 0
    form, sent = parse_wav(kept), sound.read_bytes()
    before = parse_wav(sent)
    assert (form.codec, form.channels, form.rate) == ("G.711 A-law", 1, 8000)
    whole = round(seconds * 8000)
    heard = kept[form.data_offset : form.data_offset + (form.data_length or 0)]
    assert buffer.lost_samples == 0
    assert abs(len(heard) - whole) <= SAMPLES
    assert heard[:whole] == sent[before.data_offset : before.data_offset + whole][: len(heard)]


def test_a_short_call_from_a_real_sender_is_kept_as_it_was_sent(tmp_path: Path) -> None:
    """Three seconds sent by ffmpeg as RTP are in the archive, sample by sample."""
    record_for(3.0, tmp_path)


@pytest.mark.deep
def test_a_minute_from_a_real_sender_is_kept_as_it_was_sent(tmp_path: Path) -> None:
    """Sixty seconds sent by ffmpeg as RTP are in the archive, sample by sample."""
    record_for(60.0, tmp_path)
