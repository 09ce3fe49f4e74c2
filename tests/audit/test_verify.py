import base64
import tracemalloc
from collections.abc import Callable, Sequence
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given
from hypothesis import strategies as st

import kelarec.audit.verify as verifier
from kelarec.audit.note import sign_checkpoint, sign_note, to_verification_key
from kelarec.audit.proofs import verify_consistency, verify_inclusion
from kelarec.audit.tiles import MAX_ENTRY, consistency_proof, grow, inclusion_proof
from kelarec.audit.verify import (
    COSIGNATURE,
    ED25519,
    Checkpoint,
    VerificationError,
    VerificationKey,
    leaf_hash,
    open_checkpoint,
    verify_log,
)
from kelarec.errors import InvalidValueError

ORIGIN = "kelarec.example/log"
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEY = to_verification_key(ORIGIN, PRIVATE.public_key())
WITNESS_PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
WITNESS = VerificationKey("witness.example/w1", COSIGNATURE, WITNESS_PRIVATE.public_key().public_bytes_raw())
EDGES = (1, 2, 3, 255, 256, 257, 300, 511, 512, 513, 700)
SIZES = st.one_of(st.sampled_from(EDGES), st.integers(1, 700))

Log = dict[str, bytes]


def _entries(count: int, word: bytes = b"e") -> list[bytes]:
    return [word + b"%d" % number for number in range(count)]


def _extend(log: Log, entries: Sequence[bytes]) -> Log:
    """Return a log with more entries, its older checkpoints kept as the library keeps them."""
    old = open_checkpoint(log["checkpoint"], KEY) if log else Checkpoint(ORIGIN, 0, sha256().digest())
    growth = grow(old.size, entries, log.get, root=old.root)
    note = sign_checkpoint(Checkpoint(ORIGIN, growth.size, growth.root), PRIVATE)
    return {**log, **dict(growth.objects), "checkpoint": note, f"checkpoints/{growth.size:020d}": note}


def _log(count: int) -> Log:
    return _extend({}, _entries(count))


def _problems(
    log: Log,
    witnesses: Sequence[VerificationKey] = (),
    previous: Sequence[bytes] = (),
    key: VerificationKey = KEY,
) -> list[VerificationError]:
    with pytest.raises(VerificationError) as caught:
        verify_log(log.get, key, witnesses=witnesses, previous=previous)
    assert str(caught.value).count("\n") == len(caught.value.problems) - 1
    return list(caught.value.problems)


def _places(log: Log, witnesses: Sequence[VerificationKey] = (), previous: Sequence[bytes] = ()) -> set[str]:
    return {problem.where for problem in _problems(log, witnesses, previous)}


def _bundle(entries: Sequence[bytes]) -> bytes:
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def _cosign(note: bytes, at: int, private: Ed25519PrivateKey = WITNESS_PRIVATE) -> bytes:
    text = note.rpartition(b"\n\n")[0] + b"\n"
    signature = private.sign(b"cosignature/v1\ntime " + str(at).encode() + b"\n" + text)
    raw = base64.b64encode(WITNESS.key_id + at.to_bytes(8, "big") + signature)
    return note + "\u2014 ".encode() + WITNESS.name.encode() + b" " + raw + b"\n"


# A second implementation, by the definitions of RFC 6962, 2.1


def _mth(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) < 2:
        return sha256(b"\x00" + leaves[0]).digest() if leaves else sha256().digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + _mth(leaves[:split]) + _mth(leaves[split:])).digest()


def _path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*_path(index, leaves[:split]), _mth(leaves[split:])]
    return [*_path(index - split, leaves[split:]), _mth(leaves[:split])]


def _subproof(size: int, leaves: Sequence[bytes], *, known: bool) -> list[bytes]:
    if size == len(leaves):
        return [] if known else [_mth(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if size <= split:
        return [*_subproof(size, leaves[:split], known=known), _mth(leaves[split:])]
    return [*_subproof(size - split, leaves[split:], known=False), _mth(leaves[:split])]


@given(data=st.data(), size=SIZES)
def test_tree_and_proofs_are_those_of_the_definition(data: st.DataObject, size: int) -> None:
    """Root, audit path and consistency proof are those that RFC 6962, 2.1, 2.1.1 and 2.1.2 define recursively."""
    index, older = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    leaves, log = _entries(size), _log(size)
    root, old_root = _mth(leaves), _mth(leaves[:older])

    assert verify_log(log.get, KEY).root == root
    path, proof = inclusion_proof(index, size, log.get), consistency_proof(older, size, log.get)
    assert path == _path(index, leaves)
    assert proof == _subproof(older, leaves, known=True)
    verify_inclusion(leaf_hash(leaves[index]), index, size, path, root)
    verify_consistency(older, size, proof, old_root, root)
    for wrong in (index - 1, index + 1):
        with pytest.raises(VerificationError):
            verify_inclusion(leaf_hash(leaves[index]), wrong, size, path, root)
    for place in range(len(proof)):
        altered = [*proof[:place], bytes(32), *proof[place + 1 :]]
        with pytest.raises(VerificationError):
            verify_consistency(older, size, altered, old_root, root)


@given(st.lists(st.integers(0, 300), min_size=1, max_size=6))
@example([255, 1, 1, 255, 256])
@example([256, 256, 0, 1])
def test_growth_in_batches_is_growth_at_once(batches: list[int]) -> None:
    """However entries are batched, the tree is the same, and each checkpoint on the way is its beginning (RFC 6962)."""
    log: Log = {}
    leaves, steps = _entries(sum(batches)), []
    for batch in batches:
        size = open_checkpoint(log["checkpoint"], KEY).size if log else 0
        log = _extend(log, leaves[size : size + batch])
        steps.append(log["checkpoint"])
    at_once = _log(len(leaves))

    assert log.items() >= at_once.items()
    assert verify_log(log.get, KEY, previous=steps).previous == len(batches)


def test_a_tree_of_three_levels_of_tiles() -> None:
    """Over 65,536 leaves the third level of tiles begins, and all of it verifies (tlog-tiles, Merkle Tree)."""
    leaves = _entries(66_000)
    log = _extend(_extend({}, leaves[:65_000]), leaves[65_000:])

    assert verify_log(log.get, KEY, previous=[log["checkpoints/00000000000000065000"]]).root == _mth(leaves)
    assert "tile/2/000.p/1" in log
    assert inclusion_proof(65_999, 66_000, log.get) == _path(65_999, leaves)
    assert consistency_proof(65_000, 66_000, log.get) == _subproof(65_000, leaves, known=True)
    for path in (
        "tile/2/000.p/1",
        "tile/1/000",
        "tile/0/100",
        "tile/entries/100",
        "tile/1/001.p/1",
        "tile/0/257.p/208",
    ):
        altered = {**log, path: log[path][:-1] + bytes([log[path][-1] ^ 1])}
        assert _places(altered) == {path}


@pytest.mark.parametrize(
    ("size", "step"),
    [
        *((size, 1 if size == 1 else 11) for size in (1, 255, 256, 257, 300)),
        *(pytest.param(size, 1, marks=pytest.mark.deep) for size in (255, 256, 257, 300)),  # `make faults`
    ],
)
def test_every_changed_byte_is_found_and_its_file_named(size: int, step: int) -> None:
    """Any byte of a leaf, tile or checkpoint changed: the verifier fails and names that file only (faults, 22)."""
    log = _log(size)
    del log[f"checkpoints/{size:020d}"]
    verify_log(log.get, KEY)
    flipped = found = 0
    for path, content in log.items():
        altered = dict(log)
        for at in range(0, len(content), step):
            flipped += 1
            altered[path] = content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :]
            found += _places(altered) == {path}
    print(f"{size} entries: {flipped} bytes flipped in {len(log)} files, {found} found with their file")

    assert found == flipped
    assert flipped >= sum(map(len, log.values())) / step


def test_every_changed_bit_of_a_checkpoint_is_found() -> None:
    """Each bit of the checkpoint, and of an older one kept beside it, is covered by a check (faults, 22)."""
    log = _extend(_log(1), _entries(1))
    witnessed = _cosign(log["checkpoint"], 1_679_315_147)
    flipped = 0
    for name, note in (("checkpoint", witnessed), ("older checkpoint 1", log["checkpoints/00000000000000000001"])):
        for at, bit in ((at, bit) for at in range(len(note)) for bit in range(8)):
            altered = note[:at] + bytes([note[at] ^ 1 << bit]) + note[at + 1 :]
            notes = {"checkpoint": witnessed, "older checkpoint 1": log["checkpoint"], name: altered}
            changed = {**log, "checkpoint": notes["checkpoint"]}
            assert _places(changed, [WITNESS], [notes["older checkpoint 1"]]) == {name}, (at, bit)
            flipped += 1
    print(f"{flipped} bits of checkpoints flipped, all found")


def _removed(entries: list[bytes]) -> list[bytes]:
    return entries[:7] + entries[8:]


def _inserted(entries: list[bytes]) -> list[bytes]:
    return [*entries[:7], b"never logged", *entries[7:]]


def _swapped(entries: list[bytes]) -> list[bytes]:
    return [*entries[:7], entries[8], entries[7], *entries[9:]]


def _replaced(entries: list[bytes]) -> list[bytes]:
    return [*entries[:7], b"never logged", *entries[8:]]


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        (_removed, "ends before the end of leaf"),
        (_inserted, "stray bytes follow"),
        (_swapped, "leaf {0}7 is not what hash 7 of tile/0/00{1} stands for"),
        (_replaced, "leaf {0}7 is not what hash 7 of tile/0/00{1} stands for"),
    ],
)
@pytest.mark.parametrize(("path", "first"), [("tile/entries/000", 0), ("tile/entries/001.p/44", 256)])
def test_attack_on_entries(attack: Callable[[list[bytes]], list[bytes]], said: str, path: str, first: int) -> None:
    """An entry removed, inserted, moved or replaced is found, and its bundle and leaf are named (faults, 22)."""
    log = _log(300)
    part = attack(_entries(300)[first : first + (44 if first else 256)])
    leaf = said.replace("{0}7", str(first + 7)).replace("{1}", "1.p/44" if first else "0")
    problems = _problems({**log, path: _bundle(part)})

    assert {problem.where for problem in problems} == {path}
    assert leaf in problems[0].happened


def test_attack_with_the_tile_made_to_match() -> None:
    """A bundle and its tile altered alike are found by the tile above, or by the root (tlog-tiles, Merkle Tree)."""
    log = _log(600)
    forged = _replaced(_entries(600))
    other = _extend({}, forged)
    full = {**log, **{path: other[path] for path in ("tile/entries/000", "tile/0/000")}}
    chain = {**full, "tile/1/000.p/2": other["tile/1/000.p/2"]}
    last = {**log, "tile/entries/002.p/88": _bundle([b"x"] * 88), "tile/0/002.p/88": leaf_hash(b"x") * 88}

    assert "it, with all below it, is not what hash 0 of tile/1/000.p/2 stands for" in str(_problems(full)[0])
    assert _places(full) == {"tile/0/000"}
    for changed in (chain, last):
        (problem,) = _problems(changed)
        assert problem.where == "checkpoint"
        assert open_checkpoint(log["checkpoint"], KEY).root.hex() in problem.happened


def test_attack_fork() -> None:
    """A log signed anew over another history is found by any older checkpoint (RFC 6962, 2.1.2; faults, 22)."""
    honest = _extend(_extend({}, _entries(200)), _entries(200))
    forged = _extend(_extend({}, _replaced(_entries(200))), _entries(200))
    verify_log(forged.get, KEY)
    older = [honest["checkpoints/00000000000000000200"], honest["checkpoint"]]
    problems = _problems(forged, previous=older)

    assert [problem.where[-3:] for problem in problems] == ["200", "400"]
    assert all("forked log or rollback" in problem.happened for problem in problems)


def test_attack_rollback() -> None:
    """An older state put back whole is found by a newer checkpoint (faults, 11 and 22)."""
    old = _log(256)
    new = _extend(old, _entries(44))
    (problem,) = _problems(old, previous=[old["checkpoint"], new["checkpoint"]])

    assert str(problem) == "checkpoints/00000000000000000300: rollback: it signs 300 entries, the log has 256"


def test_attack_checkpoint_of_another_log() -> None:
    """A checkpoint signed by another key, or for another origin or name, is refused and nothing is read below it."""
    log = _log(3)
    stranger = Ed25519PrivateKey.from_private_bytes(bytes(32))
    state = open_checkpoint(log["checkpoint"], KEY)
    by_stranger = sign_checkpoint(state, stranger)
    elsewhere = sign_checkpoint(Checkpoint("kelarec.example/other", state.size, state.root), PRIVATE)
    for note, said in ((by_stranger, "not by kelarec.example/log"), (elsewhere, "signed by kelarec.example/other")):
        (problem,) = _problems({"checkpoint": note})
        assert (problem.where, said in problem.happened) == ("checkpoint", True)
    (problem,) = _problems(log, key=to_verification_key(ORIGIN, stranger.public_key()))
    assert problem.where == "checkpoint"
    assert [str(each) for each in _problems({})] == ["checkpoint: it is missing"]


def test_attack_on_files() -> None:
    """Tiles and bundles cut, lengthened or missing are each named, however many there are (tlog-tiles)."""
    log = _log(600)
    damaged = {
        **log,
        "tile/0/000": log["tile/0/000"][:-1],
        "tile/1/000.p/2": log["tile/1/000.p/2"] + b"\x00",
        "tile/entries/001": log["tile/entries/001"] + b"\x00",
        "tile/entries/002.p/88": log["tile/entries/002.p/88"][:-1],
    }
    del damaged["tile/0/002.p/88"]
    said = {problem.where: problem.happened for problem in _problems(damaged)}

    assert said == {
        "tile/0/000": "it has 8191 bytes, not 8192",
        "tile/1/000.p/2": "it has 65 bytes, not 64",
        "tile/entries/001": "1 stray bytes follow its 256 entries",
        "tile/entries/002.p/88": "it ends before the end of leaf 599",
        "tile/0/002.p/88": "it is missing",
    }


def test_damage_does_not_make_an_older_checkpoint_a_fork() -> None:
    """Where tiles are damaged it could not be told if an older checkpoint holds, which is another thing than false."""
    log = _extend(_log(100), _entries(50))
    log["tile/0/000.p/150"] = bytes(32) + log["tile/0/000.p/150"][32:]
    problems = _problems(log, previous=[log["checkpoints/00000000000000000100"]])

    assert [problem.where for problem in problems] == ["tile/0/000.p/150", "checkpoints/00000000000000000100"]
    assert "could not be told" in problems[1].happened


def test_a_partial_tile_may_go_when_the_full_one_is_there() -> None:
    """A partial tile or bundle may be absent once the full one exists, but not before (tlog-tiles, Partial Tiles)."""
    old = _log(100)
    new = _extend(old, _entries(200))
    partial = ("tile/0/000.p/100", "tile/entries/000.p/100")
    tidied = {path: content for path, content in new.items() if path not in partial}

    assert verify_log(tidied.get, KEY, previous=[old["checkpoint"]]).size == 300
    assert verify_log({**tidied, "checkpoint": old["checkpoint"]}.get, KEY).size == 100
    assert _places({path: content for path, content in old.items() if path not in partial}) == set(partial)


def test_witnesses() -> None:
    """A witness counts if its timed signature over this very checkpoint verifies (tlog-cosignature)."""
    log = _log(3)
    plain, at = log["checkpoint"], 1_679_315_147
    witnessed = {**log, "checkpoint": _cosign(plain, at)}

    assert verify_log(witnessed.get, KEY, witnesses=[WITNESS]).witnesses == {str(WITNESS): at}
    assert f"witnessed by {WITNESS} at {at}" in str(verify_log(witnessed.get, KEY, witnesses=[WITNESS]))
    unasked = verify_log(witnessed.get, KEY)
    assert (unasked.unknown, "unwitnessed" in str(unasked)) == ((str(WITNESS),), True)
    assert "unwitnessed" in str(verify_log(log.get, KEY, witnesses=[WITNESS], quorum=0))
    assert "0 of the witnesses have signed it, 1 must have" in _problems(log, witnesses=[WITNESS])[0].happened
    plain_key = VerificationKey(WITNESS.name, ED25519, WITNESS.public)
    untimed = sign_note(plain.rpartition(b"\n\n")[0] + b"\n", WITNESS.name, WITNESS_PRIVATE).rpartition(b"\n\n")[2]
    assert "0 of the" in _problems({**log, "checkpoint": plain + untimed}, [plain_key])[0].happened
    stranger = Ed25519PrivateKey.from_private_bytes(bytes(32))
    for wrong in (
        _cosign(plain, at, stranger),
        _cosign(plain, 1 << 63),
        witnessed["checkpoint"].replace(b"AAAB", b"AAAC"),
    ):
        assert wrong not in {plain, witnessed["checkpoint"]}
        (problem,) = _problems({**log, "checkpoint": wrong}, witnesses=[WITNESS])
        assert str(problem) == f"checkpoint: the signature of {WITNESS} does not verify"


def test_nothing_grows_on_altered_tiles() -> None:
    """The partial tiles and bundle that a batch goes on from must lead to the signed root."""
    log = _log(300)
    root = open_checkpoint(log["checkpoint"], KEY).root
    for path in ("tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44"):
        altered = {**log, path: log[path][:-1] + b"\x00"}
        with pytest.raises(VerificationError):
            grow(300, [b"more"], altered.get, root=root)
    with pytest.raises(VerificationError):
        grow(300, [b"more"], log.get, root=None)
    with pytest.raises(InvalidValueError, match="Entry 1 to append has 65536 bytes"):
        grow(300, [b"", bytes(MAX_ENTRY + 1)], log.get, root=root)
    assert verify_log(_extend(log, [b"", bytes(MAX_ENTRY)]).get, KEY).size == 302
    written = [path for path, _ in grow(300, [b"more"], log.get, root=root).objects]
    assert written == ["tile/entries/001.p/45", "tile/0/001.p/45"]


def test_memory_does_not_grow_with_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verifier holds a bundle and a tile of each level, and no more than so many problems (faults, 25)."""
    log = _extend({}, [bytes(1000)] * 10_000)
    tracemalloc.start()
    verify_log(log.get, KEY)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"{sum(map(len, log.values())):,} bytes of log verified with a peak of {peak:,}")
    monkeypatch.setattr(verifier, "MAX_PROBLEMS", 20)

    assert peak < 1_000_000
    assert len(_problems({"checkpoint": log["checkpoint"]})) == 20
