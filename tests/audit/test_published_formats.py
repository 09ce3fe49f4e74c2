import ast
import base64
import json
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

import kelarec.audit.verify as verifier
from kelarec.audit.note import (
    EXPORT_SIGNING_KEY,
    add_cosignature,
    from_skey,
    sign_checkpoint,
    sign_note,
    to_vkey,
    unsafe_to_skey,
)
from kelarec.audit.tiles import grow
from kelarec.audit.verify import (
    COSIGNATURE,
    MAX_NOTE,
    Checkpoint,
    VerificationError,
    VerificationKey,
    iter_rightmost,
    main,
    open_checkpoint,
    open_note,
    tile_path,
    verify_log,
)
from kelarec.errors import InvalidValueError

PUBLISHED: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "tlog.json").read_text())
LOG_KEY = VerificationKey.from_vkey(PUBLISHED["vkey"])
OBJECTS = {path: bytes.fromhex(content) for path, content in PUBLISHED["objects"].items()}
CHECKPOINTS = [note.encode() for note in PUBLISHED["checkpoints"].values()]
GOOD = Checkpoint("example.com/log/testdata", 15, bytes(range(32)))
ROOT = base64.b64encode(GOOD.root).decode()


def test_tiles_bundles_and_checkpoints_equal_the_published_ones() -> None:
    """The published leaves give the published tiles, bundles and signed checkpoints, byte for byte (Tessera)."""
    origin, private = from_skey(PUBLISHED["skey"])
    written: dict[str, bytes] = {}
    root = None
    for size, leaf in enumerate(PUBLISHED["leaves"]):
        growth = grow(size, [leaf.encode()], written.get, root=root)
        written.update(growth.objects)
        root = growth.root
        assert sign_checkpoint(Checkpoint(origin, size + 1, root), private) == CHECKPOINTS[size + 1]

    assert written == OBJECTS
    assert len(OBJECTS) == 30


@pytest.mark.parametrize("size", range(16))
def test_the_published_log_verifies(size: int) -> None:
    """A log of another implementation verifies, and each older checkpoint is its beginning (C2SP tlog-tiles)."""
    objects = {**OBJECTS, "checkpoint": CHECKPOINTS[size]}

    report = verify_log(objects.get, LOG_KEY, previous=CHECKPOINTS[: size + 1])

    assert (report.origin, report.size, report.previous) == ("example.com/log/testdata", size, size + 1)


@pytest.mark.parametrize("note", PUBLISHED["notes"], ids=lambda note: note["vkey"].partition("+")[0])
def test_published_notes_verify(note: dict[str, str]) -> None:
    """The example of signed-note, and those of Go's sumdb/note, verify under their keys."""
    opened = open_note(f"{note['text']}\n{note['line']}".encode(), [VerificationKey.from_vkey(note["vkey"])])

    assert opened.text == note["text"].encode()


def test_signing_gives_the_published_note_and_keys() -> None:
    """A published private key gives its published verifier key and signature (Go's sumdb/note)."""
    published = PUBLISHED["notes"][1]
    name, private = from_skey(published["skey"])

    assert to_vkey(name, private.public_key()) == published["vkey"]
    assert unsafe_to_skey(name, private, EXPORT_SIGNING_KEY) == published["skey"]
    assert sign_note(published["text"].encode(), name, private).decode() == f"{published['text']}\n{published['line']}"


def test_signatures_of_unknown_keys_are_told_but_not_checked() -> None:
    """A signature of an unknown key is ignored, one of a known key must verify (signed-note, Signatures)."""
    _, peter, enoch = PUBLISHED["notes"]
    both = f"{peter['text']}\n{peter['line']}{enoch['line']}".encode()
    peter_key, enoch_key = (VerificationKey.from_vkey(each["vkey"]) for each in (peter, enoch))

    assert open_note(both, [peter_key]).unknown == ("EnochRoot+af0cfe78",)
    assert open_note(both, [peter_key, enoch_key]).unknown == ()
    broken = both.replace(b"rwz+eBzm", b"rwz+eBzn")
    open_note(broken, [peter_key])
    with pytest.raises(VerificationError, match=r"signature of EnochRoot\+af0cfe78 does not verify"):
        open_note(broken, [peter_key, enoch_key])


def test_every_other_spelling_of_a_verifier_key_is_refused() -> None:
    """A verifier key has one spelling: nothing changed, left out or added is accepted (signed-note)."""
    vkey = PUBLISHED["notes"][1]["vkey"]
    spellings = {vkey[:at] + vkey[at + 1 :] for at in range(len(vkey))}
    spellings |= {vkey[:at] + chr(ord(vkey[at]) ^ bit) + vkey[at + 1 :] for at in range(len(vkey)) for bit in (1, 32)}
    spellings |= {vkey + "=", vkey + "\n", " " + vkey, vkey.replace("c74f20a3", "C74F20A3"), ""}
    for spelling in spellings:
        with pytest.raises(VerificationError, match="verification key"):
            VerificationKey.from_vkey(spelling)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\u2028b", "a\tb", "a\ud800b"])
def test_key_names_have_no_spaces_and_plus_signs(name: str) -> None:
    """A key name is not empty and has no Unicode space and no plus sign (signed-note, Format)."""
    with pytest.raises(VerificationError, match="is no name"):
        VerificationKey(name, COSIGNATURE, bytes(32))


def test_tiles_are_named_and_counted_as_published() -> None:
    """Index 1234067 is x001/x234/067; a tree of 70,000 ends in partial tiles of 112, 17 and 1 (tlog-tiles)."""
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_path("entries", 273, 112) == "tile/entries/273.p/112"
    assert tile_path(63, 1000, 255) == "tile/63/x001/000.p/255"
    assert list(iter_rightmost(70_000)) == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert list(iter_rightmost(256)) == [(1, 0, 1)]


@pytest.mark.parametrize(
    "text",
    [
        f"{GOOD.origin}\n015\n{ROOT}\n",
        f"{GOOD.origin}\n+15\n{ROOT}\n",
        f"{GOOD.origin}\n-1\n{ROOT}\n",
        f"{GOOD.origin}\n1_5\n{ROOT}\n",
        f"{GOOD.origin}\n\u0661\u0665\n{ROOT}\n",
        f"{GOOD.origin}\n15 \n{ROOT}\n",
        f"{GOOD.origin}\n{1 << 63}\n{ROOT}\n",
        f"{GOOD.origin}\n15\n{ROOT.replace('8=', '9=')}\n",
        f"{GOOD.origin}\n15\n{ROOT.rstrip('=')}\n",
        f"{GOOD.origin}\n15\n{base64.b64encode(GOOD.root[:31]).decode()}\n",
        f"{GOOD.origin}\n15\n{ROOT}\nextension\n",
        f"{GOOD.origin}\n15\n",
        f"\n15\n{ROOT}\n",
        f"another/log\n15\n{ROOT}\n",
    ],
)
def test_a_checkpoint_has_one_spelling(text: str) -> None:
    """A signed checkpoint is refused unless origin, size and root are spelled the one way (tlog-checkpoint)."""
    name, private = from_skey(PUBLISHED["skey"])
    note = sign_note(text.encode(), name, private)

    with pytest.raises(VerificationError, match=r"^checkpoint: "):
        open_checkpoint(note, LOG_KEY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\n\n", b"\n"),
        (b"\n\n", b"\n\n\n"),
        (b"=\n", b"="),
        ("\u2014 ".encode(), b"- "),
        ("\u2014 ".encode(), "\u2014  ".encode()),
        (b"15\n", b"15\r\n"),
        (b"15\n", b"15\x00\n"),
        (b"15\n", b"15\xff\n"),
        ("\u2014 ".encode(), b"\xff "),
    ],
)
def test_a_note_has_one_form(old: bytes, new: bytes) -> None:
    """A note is UTF-8 text without control characters, a blank line and signature lines (signed-note, Format)."""
    note = CHECKPOINTS[15]
    assert open_checkpoint(note, LOG_KEY).size == 15

    with pytest.raises(VerificationError, match=r"^checkpoint: "):
        open_checkpoint(note[::-1].replace(old[::-1], new[::-1], 1)[::-1], LOG_KEY)


def test_a_note_is_not_endless() -> None:
    """A note over the limit is refused, one with 16 signatures is not (signed-note, Format)."""
    line = CHECKPOINTS[15].partition(b"\n\n")[2]
    open_note(CHECKPOINTS[15] + line * 15, [LOG_KEY])

    with pytest.raises(VerificationError, match=f"over {MAX_NOTE} bytes"):
        open_note(CHECKPOINTS[15] + line * (MAX_NOTE // len(line)), [LOG_KEY])


@given(st.binary() | st.text().map(str.encode), st.integers(0, 200), st.integers(0, 60))
def test_whatever_bytes_come_only_a_verification_error_does(noise: bytes, at: int, cut: int) -> None:
    """Fuzzed notes, keys, tiles and bundles give the named error and no other (faults, 25)."""
    fuzzed = {"checkpoint": CHECKPOINTS[15][:at] + noise + CHECKPOINTS[15][at + cut :]}
    fuzzed |= {path: content[:at] + noise + content[at + cut :] for path, content in OBJECTS.items()}
    vkey = PUBLISHED["vkey"][:at] + noise.decode("utf-8", "surrogateescape") + PUBLISHED["vkey"][at + cut :]
    for objects in (fuzzed, {**fuzzed, "checkpoint": CHECKPOINTS[15]}, {**OBJECTS, "checkpoint": noise}):
        with suppress(VerificationError):
            verify_log(objects.get, LOG_KEY, previous=[noise, fuzzed["checkpoint"]])
    with suppress(VerificationError):
        VerificationKey.from_vkey(vkey)


@pytest.mark.parametrize("text", [b"", b"no newline", b"control\x01\n", b"\xff\n", b"a\n\nb"])
def test_nothing_is_signed_that_would_be_no_note(text: bytes) -> None:
    """What cannot be read back as a note is not given out as one (signed-note, Format)."""
    name, private = from_skey(PUBLISHED["skey"])

    with pytest.raises(VerificationError):
        sign_note(text, name, private)


@pytest.mark.parametrize(("size", "root"), [(-1, GOOD.root), (1 << 63, GOOD.root), (15, GOOD.root[:31])])
def test_no_checkpoint_is_signed_that_a_verifier_would_refuse(size: int, root: bytes) -> None:
    """A size below 0 or over 2^63 - 1, or a root that is not 32 bytes, is never signed (tlog-checkpoint)."""
    name, private = from_skey(PUBLISHED["skey"])

    with pytest.raises(VerificationError, match="origin, size or root hash"):
        sign_checkpoint(Checkpoint(name, size, root), private)


def test_a_signing_key_is_not_shown_and_not_exported_by_chance() -> None:
    """A refused signing key is not repeated in the error, and exporting one takes the token (kelarec, habits 9)."""
    skey = PUBLISHED["notes"][1]["skey"]
    name, private = from_skey(skey)
    for wrong in (
        skey[:-1] + "y",
        skey.replace("c74f20a3", "c74f20a4"),
        skey[8:],
        "x+" + skey,
        skey[:30],
        skey.replace("rN", "r N"),
    ):
        with pytest.raises(InvalidValueError) as caught:
            from_skey(wrong)
        assert "AYEKFALVFGy" not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
    with pytest.raises(TypeError, match="EXPORT_SIGNING_KEY"):
        unsafe_to_skey(name, private, None)  # type: ignore[arg-type]  # the mistake under test


def test_a_cosignature_is_added_only_if_it_verifies() -> None:
    """A witness's answer is appended as one line over this very checkpoint (tlog-cosignature)."""
    witness = Ed25519PrivateKey.from_private_bytes(bytes(32))
    key = VerificationKey("witness.example/w1", COSIGNATURE, witness.public_key().public_bytes_raw())
    text = CHECKPOINTS[15].partition(b"\n\n")[0] + b"\n"
    signature = witness.sign(b"cosignature/v1\ntime 1679315147\n" + text)
    raw = key.key_id + (1679315147).to_bytes(8, "big") + signature
    line = f"\u2014 witness.example/w1 {base64.b64encode(raw).decode()}\n".encode()

    assert add_cosignature(CHECKPOINTS[15], line, key) == CHECKPOINTS[15] + line
    with pytest.raises(VerificationError, match="does not verify"):
        add_cosignature(CHECKPOINTS[14], line, key)
    with pytest.raises(VerificationError, match="not by witness"):
        add_cosignature(CHECKPOINTS[15], CHECKPOINTS[15].splitlines(keepends=True)[-1], key)
    with pytest.raises(InvalidValueError, match="one line"):
        add_cosignature(CHECKPOINTS[15], line + line, key)


def _write(folder: Path, size: int, **changed: bytes) -> Path:
    kept = {f"checkpoints/{each:020d}": CHECKPOINTS[each] for each in range(size + 1)}
    for path, content in {**OBJECTS, **kept, "checkpoint": CHECKPOINTS[size], **changed}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit status is 0 if all holds, 1 if not, 2 if it could not be told; kept checkpoints are compared too."""
    log, older = _write(tmp_path / "log", 15), _write(tmp_path / "older", 12)
    newest = str(log / "checkpoint")

    assert main([str(log), PUBLISHED["vkey"], "--previous", newest]) == 0
    assert "15 entries" in (out := capsys.readouterr().out)
    assert "17 older checkpoints, unwitnessed\nVerified." in out
    assert main([str(older), PUBLISHED["vkey"]]) == 0
    assert main([str(older), PUBLISHED["vkey"], "--previous", newest]) == 1
    assert "rollback: it signs 15 entries, the log has 12\nNot verified." in capsys.readouterr().out
    shutil.copy(newest, older / "checkpoints" / f"{15:020d}")
    assert main([str(older), PUBLISHED["vkey"]]) == 1
    witness = PUBLISHED["notes"][0]["vkey"]
    assert main([str(log), PUBLISHED["vkey"], "--witness", witness]) == 1
    assert main([str(log), PUBLISHED["vkey"], "--witness", witness, "--quorum", "0"]) == 0
    assert main([str(log), "no key"]) == 1
    assert main([str(log), PUBLISHED["vkey"], "--previous", str(tmp_path / "none")]) == 2
    assert "It could not be told." in capsys.readouterr().out


ALONE = """
import runpy, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in {"cryptography", "cffi", "_cffi_backend"}:
            raise ModuleNotFoundError(f"{name} is not here")

sys.meta_path.insert(0, Refuse())
try:
    import kelarec
except ModuleNotFoundError:
    runpy.run_path("verify.py", run_name="__main__")
"""


def test_the_verifier_runs_copied_out_alone(tmp_path: Path) -> None:
    """verify.py, copied into an empty folder, runs with Python and cryptography only (design, Audit)."""
    source = Path(verifier.__file__)
    nodes = list(ast.walk(ast.parse(source.read_text())))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= {*sys.stdlib_module_names, "cryptography"}

    shutil.copy(source, tmp_path)
    tile = OBJECTS["tile/0/000.p/15"]
    for content, status, said in ((tile, 0, "15 entries"), (tile[::-1], 1, "tile/0/000.p/15: hash 0 is not")):
        _write(tmp_path / "log", 15, **{"tile/0/000.p/15": content})
        command = [sys.executable, "-I", "-c", ALONE, "log", PUBLISHED["vkey"]]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

        assert (done.returncode, done.stderr) == (status, "")
        assert said in done.stdout
