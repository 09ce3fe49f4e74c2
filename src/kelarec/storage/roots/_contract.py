"""What every kind of root key promises, and how it comes by its secrets."""

from collections.abc import Callable
from typing import Final, Protocol

from kelarec.errors import RootKeyUnreadableError
from kelarec.storage.wrapping import Randomness

Secrets = Callable[[str], str | bytes]
"""Is asked for a secret by its name, such as ``passphrase`` or ``pin``, each time one is needed."""

NEVER_PICKLED: Final = "A root key is never pickled; open the archive where the key is needed."


class RootKey(Protocol):
    """What wraps the ring key, wherever it lives. Neither its ``repr`` nor a pickle shows any secret."""

    @property
    def scheme(self) -> str:
        """What the URI of such a key begins with."""
        ...

    def wrap(self, secret: bytes, context: bytes) -> str:
        """Return a secret sealed under the root key, bound to a context, as one line of printable ASCII.

        The line begins with the name of the algorithm and holds what opening it takes besides the key.

        Raises:
            RootKeyUnreadableError: The file, token or service does not give the key.
            RootKeyUnreachableError: It could not be asked.
        """
        ...

    def unwrap(self, line: str, context: bytes) -> bytes:
        """Return the secret.

        Raises:
            WrongRootKeyError: It was sealed under another root key or for another context, or altered.
            RootKeyUnreadableError: The file, token or service does not give the key.
            RootKeyUnreachableError: It could not be asked, so nobody can tell.
        """
        ...


class LoadRootKey(Protocol):
    """How a kind of root key is made from a URI: what an entry point of the group ``kelarec.root_keys`` names."""

    def __call__(self, uri: str, secrets: Secrets, randomness: Randomness) -> RootKey:
        """Return the root key that a URI names.

        Raises:
            RootKeyUnreadableError: The URI is wrong, or the key is not there.
            MissingExtraError: A package that it needs is not installed.
        """
        ...


def no_secrets(name: str) -> str:
    """Say that a secret is needed and nobody gives one.

    Raises:
        RootKeyUnreadableError: Always.
    """
    raise RootKeyUnreadableError(
        f"The root key needs a secret, the {name}, and nobody gives one.",
        advice=f"Give secrets=, a function that is called with {name!r} and returns it.",
    )


def ask(secrets: Secrets, name: str) -> str:
    """Return a secret as text; what the callback raises comes through.

    Raises:
        RootKeyUnreadableError: The callback gives none, or no text in UTF-8.
    """
    secret: object = secrets(name)
    if isinstance(secret, bytes):
        try:
            secret = secret.decode()
        except UnicodeDecodeError:
            raise RootKeyUnreadableError(f"The {name} is not in UTF-8.", advice=f"Give another {name}.") from None
    if not isinstance(secret, str) or not secret:
        raise RootKeyUnreadableError(f"No {name} was given.", advice=f"See that secrets= returns the {name}.")
    return secret
