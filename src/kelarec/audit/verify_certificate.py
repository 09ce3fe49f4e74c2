"""Verify certificates of erasure and expiry, alone: this file needs Python and ``cryptography``, nothing of kelarec.

    python verify_certificate.py VKEY CERTIFICATE_FILE ... [--log LOG_FOLDER] [--witness VKEY ...]

A certificate is a C2SP signed note of the log's key: words for people, and in its last line JSON with one log entry,
its salt, its leaf, an inclusion proof (RFC 6962) and the signed checkpoint that the proof leads to. With the folder of
the log, which ``verify.py`` verifies, the checkpoint must be one of those that the log keeps. Exit status: 0 all hold,
1 one does not, 2 it could not be told.
"""

import argparse
import base64
import hmac
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

FIRST_LINE: Final = "kelarec certificate v1"
_LEAF_FIRST_LINE: Final = "kelarec leaf v1"
_LOG, _WITNESS = 0x01, 0x04  # what a key signs: notes; what it saw and when (tlog-cosignature)


class CertificateError(Exception):
    """A certificate is not as it was signed; the text says which and what is wrong."""


@dataclass(frozen=True)
class Certificate:
    """What holds: the words, the entry in full, who has cosigned the checkpoint, its size and root."""

    text: str
    entry: dict[str, Any]
    cosigned_by: tuple[str, ...]
    size: int
    root: bytes


def open_certificate(data: bytes, vkey: str, witnesses: Iterable[str] = (), where: str = "certificate") -> Certificate:
    """Check a certificate by the log's public key and, if any are given, those of witnesses, who all must have signed.

    Raises:
        CertificateError: It is not one, or does not hold.
    """
    text, signers = _open_note(data, [vkey], where)
    if len(signers) > 1 or not text.startswith(f"{FIRST_LINE}\n"):
        raise CertificateError(f"{where}: it is no certificate of this version")
    try:
        told = json.loads(text.splitlines()[-1])
        payload, leaf, index = told["payload"].encode(), told["leaf"].encode(), int(told["index"])
        salt, *proof = (base64.b64decode(each, validate=True) for each in (told["salt"], *told["proof"]))
        entry = json.loads(payload)
        kind, at, commitment = leaf.decode("ascii").removeprefix(f"{_LEAF_FIRST_LINE}\n").split("\n")[:3]
        note, signers = _open_note(told["checkpoint"].encode(), [vkey, *witnesses], where)
        origin, size, root = note.splitlines()
        is_entry = (kind, base64.b64decode(commitment)) == (entry["kind"], hmac.digest(salt, payload, "sha256"))
        found = Certificate(text, entry, tuple(sorted(signers - {origin})), int(size), base64.b64decode(root))
        is_leaf = f"{_LEAF_FIRST_LINE}\n{kind}\n{at}\n{commitment}\n".encode() == leaf
        is_origin = origin == vkey.partition("+")[0]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise CertificateError(f"{where}: it has not the form of one: {type(error).__name__}") from None
    if not (is_entry and is_leaf and is_origin):
        raise CertificateError(f"{where}: its leaf does not commit to its entry, or is another log's")
    if _climb(sha256(b"\x00" + leaf).digest(), index, found.size, proof) != found.root:
        raise CertificateError(f"{where}: its proof does not lead to the root that was signed")
    return found


def require_in_log(certificate: Certificate, folder: Path, vkey: str, where: str = "certificate") -> None:
    """Check that the log in a folder has signed this very checkpoint.

    Raises:
        CertificateError: It has signed none of that size, or another.
    """
    file = folder / "checkpoints" / f"{certificate.size:020}"
    if not file.exists():
        raise CertificateError(f"{where}: the log keeps no checkpoint of {certificate.size} entries")
    kept = _open_note(file.read_bytes(), [vkey], str(file))[0].splitlines()
    if kept[1:] != [str(certificate.size), base64.b64encode(certificate.root).decode()]:
        raise CertificateError(f"{where}: the log's checkpoint of {certificate.size} entries is another")


def _climb(node: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    # the root that a leaf and its proof lead to, or none (RFC 6962, 2.1.1)
    if size <= 1 or not proof or not 0 <= index < size:
        return node if (size, index) == (1, 0) and not proof else b""
    half = 1 << (size - 1).bit_length() - 1
    if index < half:
        return sha256(b"\x01" + _climb(node, index, half, proof[:-1]) + proof[-1]).digest()
    return sha256(b"\x01" + proof[-1] + _climb(node, index - half, size - half, proof[:-1])).digest()


def _open_note(data: bytes, vkeys: Iterable[str], where: str) -> tuple[str, set[str]]:
    # the text of a signed note, and the names of its signers; each given key has signed it (C2SP signed-note)
    text, blank, block = data.rpartition(b"\n\n")
    text += b"\n"
    signers: dict[tuple[str, bytes], bytes] = {}
    try:
        for line in block.decode().removesuffix("\n").split("\n"):
            dash, name, written = line.split(" ")
            raw = base64.b64decode(written, validate=True)
            if dash != "\N{EM DASH}" or base64.b64encode(raw).decode() != written or (name, raw[:4]) in signers:
                raise CertificateError(f"{where}: {line!r} is not a signature line, or comes twice")
            signers[name, raw[:4]] = raw[4:]
        for vkey in vkeys:
            name, key_id, material = vkey.split("+", 2)
            key = base64.b64decode(material, validate=True)
            if sha256(name.encode() + b"\n" + key).digest()[:4].hex() != key_id or key[0] not in {_LOG, _WITNESS}:
                raise CertificateError(f"{vkey!r} is no public key of a log or witness")
            signature, signed = signers.get((name, bytes.fromhex(key_id)), b""), text
            if key[0] == _WITNESS:
                at = int.from_bytes(signature[:8])
                signature, signed = signature[8:], b"cosignature/v1\ntime %d\n%b" % (at, text)
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature, signed)
        if not blank or not block.endswith(b"\n"):
            raise CertificateError(f"{where}: it is no signed text")
        return text.decode(), {name for name, _ in signers}
    except (ValueError, IndexError, InvalidSignature) as error:
        what = "its signature does not verify" if isinstance(error, InvalidSignature) else "it is no signed text"
        raise CertificateError(f"{where}: {what}") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify certificates, print the words of each that holds, and return the exit status."""
    parser = argparse.ArgumentParser(description="Verify certificates of erasure and expiry.")
    parser.add_argument("key", metavar="VKEY", help="the log's public key")
    parser.add_argument("files", nargs="+", type=Path, metavar="CERTIFICATE_FILE")
    parser.add_argument("--log", type=Path, metavar="LOG_FOLDER", help="the log that it must be of")
    parser.add_argument("--witness", action="append", default=[], metavar="VKEY", help="who must have cosigned")
    given = parser.parse_args(arguments)
    status = 0
    for file in given.files:
        try:
            certificate = open_certificate(file.read_bytes(), given.key, given.witness, str(file))
            if given.log is not None:
                require_in_log(certificate, given.log, given.key, str(file))
            words = certificate.text.rpartition("\n{")[0]
            sys.stdout.write(f"{file}:\n{words}\nVerified.\n\n")
        except CertificateError as error:
            sys.stdout.write(f"{error}\nNot verified.\n\n")
            status = max(status, 1)
        except OSError as error:
            sys.stdout.write(f"{error}\nIt could not be told.\n\n")
            status = 2
    return status


if __name__ == "__main__":
    sys.exit(main())
