"""The libraries that are measured beside kelarec, and the noise that all of them seal."""

import io
import os
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

PIECE: Final = 1 << 18
KEY: Final = bytes(range(32))
CONTEXT: Final = b"kelarec v1\narchive 01964e3a-5f00-7000-8000-000000000000\nrecording 1\npart audio"
NOISE: Final = os.urandom(8 * PIECE)

Fill = Callable[[BinaryIO], None]


def pieces(size: int) -> Iterator[bytes]:
    """Give so many bytes of noise, each piece another part of it."""
    left, at = size, 0
    while left > 0:
        at = (at + 4096) % (7 * PIECE)
        yield NOISE[at : at + min(PIECE, left)]
        left -= PIECE


class Peers:
    """The other libraries, as far as they are installed here: how each writes noise into a file and reads it back."""

    def __init__(self) -> None:
        self.fills: dict[str, Callable[[int], Fill]] = {}
        self.reads: dict[str, Callable[[BinaryIO], None]] = {}
        self.missing: list[str] = []
        for name, load in (("tink", self._load_tink), ("aws-esdk", self._load_esdk), ("pyrage", self._load_pyrage)):
            try:
                load()
            except ImportError as error:
                self.missing.append(f"{name} ({error.name})")

    def _load_tink(self) -> None:
        import tink  # noqa: PLC0415  an extra
        from tink import streaming_aead  # noqa: PLC0415

        streaming_aead.register()
        handle = tink.new_keyset_handle(streaming_aead.streaming_aead_key_templates.AES256_GCM_HKDF_1MB)
        primitive = handle.primitive(streaming_aead.StreamingAead)

        def fill_with(size: int) -> Fill:
            def fill(file: BinaryIO) -> None:
                with primitive.new_encrypting_stream(_Unclosed(file), CONTEXT) as sealing:
                    for piece in pieces(size):
                        sealing.write(piece)

            return fill

        def read(file: BinaryIO) -> None:
            with primitive.new_decrypting_stream(file, CONTEXT) as opened:
                while opened.read(PIECE):
                    pass

        self.fills["tink"], self.reads["tink"] = fill_with, read

    def _load_esdk(self) -> None:
        import aws_encryption_sdk as sdk  # noqa: PLC0415
        from aws_encryption_sdk.identifiers import Algorithm, EncryptionKeyType, WrappingAlgorithm  # noqa: PLC0415
        from aws_encryption_sdk.internal.crypto.wrapping_keys import WrappingKey  # noqa: PLC0415
        from aws_encryption_sdk.key_providers.raw import RawMasterKeyProvider  # noqa: PLC0415

        class Provider(RawMasterKeyProvider):  # type: ignore[misc]  # untyped
            provider_id = "bench"

            def _get_raw_key(self, key_id: str) -> object:
                del key_id
                algorithm = WrappingAlgorithm.AES_256_GCM_IV12_TAG16_NO_PADDING
                return WrappingKey(algorithm, KEY, EncryptionKeyType.SYMMETRIC)

        provider, client = Provider(), sdk.EncryptionSDKClient()
        provider.add_master_key("one")
        algorithm, frame = Algorithm.AES_256_GCM_HKDF_SHA512_COMMIT_KEY, 1 << 18

        def fill_with(size: int) -> Fill:
            def fill(file: BinaryIO) -> None:
                source = io.BufferedReader(_Noise(size), PIECE)
                with client.stream(
                    mode="e", source=source, source_length=size, key_provider=provider, algorithm=algorithm,
                    frame_length=frame, encryption_context={"part": "audio"},
                ) as sealing:  # fmt: skip
                    while sealed := sealing.read(PIECE):
                        file.write(sealed)

            return fill

        def read(file: BinaryIO) -> None:
            with client.stream(mode="d", source=file, key_provider=provider) as opened:
                while opened.read(PIECE):
                    pass

        self.fills["aws-esdk"], self.reads["aws-esdk"] = fill_with, read

    def _load_pyrage(self) -> None:
        import pyrage  # noqa: PLC0415

        identity = pyrage.x25519.Identity.generate()

        def fill_with(size: int) -> Fill:
            def fill(file: BinaryIO) -> None:
                pyrage.encrypt_io(_Noise(size), file, [identity.to_public()])

            return fill

        def read(file: BinaryIO) -> None:
            pyrage.decrypt_io(file, _Nowhere(), [identity])

        self.fills["pyrage"], self.reads["pyrage"] = fill_with, read


class _Unclosed(io.RawIOBase):
    """A file that somebody else closes."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file

    def writable(self) -> bool:
        """Whether it can be written: yes."""
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401  any buffer
        """Write."""
        return self._file.write(data)


class _Noise(io.RawIOBase):
    """So many bytes of noise as a file."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._left = size

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  any buffer
        """Read."""
        count = min(len(buffer), self._left, PIECE)
        buffer[:count] = NOISE[:count]
        self._left -= count
        return count


class _Nowhere(io.RawIOBase):
    """Where plaintext goes that nobody needs."""

    def writable(self) -> bool:
        """Whether it can be written: yes."""
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401  any buffer
        """Write."""
        return len(data)
