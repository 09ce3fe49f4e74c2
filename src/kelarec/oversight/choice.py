"""Which of several versions of one thing stands: what the log tells last, else the newest, else the most careful."""

from collections.abc import Sequence

from attrs import frozen

from kelarec.storage.object_kinds import Version


@frozen
class Choice:
    """The version that stands.

    Attributes:
        version: Which one.
        disputed: The paths of those that could have stood as well: the log tells of none of them.
    """

    version: Version
    disputed: tuple[str, ...]


def choose(versions: Sequence[Version], told: Sequence[str]) -> Choice | None:
    """Choose among the versions of one thing; None if there is none.

    A version that the log does not tell of was never acknowledged, or its entry was lost with the catalog. It stands
    against one that the log tells of only if it is more careful, or newer and no less careful.

    Args:
        versions: What lies among the objects.
        told: The hashes that the log tells of this thing, oldest first.
    """
    if not versions:
        return None
    order = {sha256: number for number, sha256 in enumerate(told)}
    logged = max((each for each in versions if each.sha256 in order), key=lambda each: order[each.sha256], default=None)
    lowest = max(each.revision for each in versions) if logged is None else logged.revision
    unlogged = [each for each in versions if each.sha256 not in order and each.revision >= lowest]
    if logged is None:
        best = max(unlogged, key=lambda each: (each.caution, each.sha256))
    else:
        rivals = [each for each in unlogged if _outdoes(each, logged)]
        best = max(rivals, key=lambda each: (each.caution, each.revision, each.sha256), default=logged)
    disputed = tuple(each.path for each in unlogged if each is not best)
    if best is not logged and (logged is not None or disputed):
        disputed = (*disputed, best.path)
    return Choice(best, tuple(sorted(disputed)))


def _outdoes(version: Version, logged: Version) -> bool:
    return (version.caution, version.revision) > (logged.caution, logged.revision)
