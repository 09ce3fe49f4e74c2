"""Object places: named sequences of bytes that appear whole, stay as they are, and go for good.

One contract for every backend. What a backend adds is durability: how the bytes of a finished write are brought onto
the medium. Remote backends are loaded when a place asks for them; see `kelarec.storage.opening`.
"""

from kelarec.storage.objects.contract import ObjectPlace
from kelarec.storage.objects.folder import FolderObjects
from kelarec.storage.objects.memory import MemoryObjects

__all__ = ["FolderObjects", "MemoryObjects", "ObjectPlace"]
