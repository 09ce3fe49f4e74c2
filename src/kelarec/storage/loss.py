"""What is lost with the ring key or the root key: the exact list, which takes no key to make."""

import re
from typing import Final

from kelarec.storage.objects import ObjectPlace

_IN_CLEAR: Final = re.compile(r"archive\.json|audit/(?:catalog|key|checkpoint|checkpoints/.+|tile/.+)")


def list_sealed(objects: ObjectPlace) -> tuple[str, ...]:
    """Return the paths of all objects that nobody reads without the ring key, in order.

    What is not among them is in clear and stays readable: the archive's description and the tree of its log.
    """
    return tuple(path for path in objects.iter_paths() if not _IN_CLEAR.fullmatch(path))
