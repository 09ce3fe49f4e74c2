"""Comparing the log: the tree with itself, and its entries and payloads with the rows of the catalog."""

from collections.abc import Iterator, Mapping
from datetime import date
from functools import partial
from typing import Any, Final

from attrs import frozen
from sqlalchemy import func, select

from kelarec.audit.integrator import Integrator, TreeHead
from kelarec.audit.restore import Segment, find_problems, iter_segments, list_payloads, read_segment
from kelarec.domain.retention import RetentionPolicy
from kelarec.errors import IntegrityError
from kelarec.oversight.difference import Difference, DifferenceKind
from kelarec.storage import catalog_tables as tables
from kelarec.storage.bulk import Bulk
from kelarec.storage.vault import Vault

_RESTORE: Final = "Restore the objects of the log from a replica; keep the damaged ones."
_REBUILD: Final = "Keep the catalog for examination and rebuild it from the objects."
_NAMES: Final = tuple(column.name for column in tables.entries.columns)
_SILENCED: Final = ("id", "actor", "recording_id", "session_id", "purpose", "payload", "ends_on")


@frozen
class LogComparison:
    """Compares the log of one archive."""

    vault: Vault
    bulk: Bulk
    log_retention: RetentionPolicy
    today: date

    def iter_differences(self) -> Iterator[Difference]:
        """Go through the differences between tree, checkpoints, payload objects and rows."""
        integrator = Integrator(self.vault)
        try:
            newest, named = integrator.find_newest_head(), integrator.find_head()
        except IntegrityError as error:
            yield Difference(
                kind=DifferenceKind.LOG_DIFFERS, subject="log checkpoint", objects=error.happened, advice=_RESTORE
            )
            return
        if newest is None:
            return
        if named is None or named.checkpoint.size < newest.checkpoint.size:
            size = 0 if named is None else named.checkpoint.size
            yield Difference(
                kind=DifferenceKind.ROLLED_BACK,
                subject="log checkpoint",
                objects=f"audit/checkpoint names {size} entries, {newest.checkpoint.size} were signed",
                advice="The next integration mends it, unless an older one was put back: then restore it.",
            )
        for problem in find_problems(self.vault, integrator, newest):
            yield Difference(
                kind=DifferenceKind.LOG_DIFFERS,
                subject=f"log object {problem.where}",
                objects=problem.happened,
                advice=_RESTORE,
            )
        yield from self._compare_rows(newest)

    def _compare_rows(self, head: TreeHead) -> Iterator[Difference]:
        size = head.checkpoint.size
        held = self._find_size()
        if held < size:
            yield Difference(
                kind=DifferenceKind.ROLLED_BACK,
                subject=f"log entries {held} to {size - 1}",
                objects=f"the tree holds {size} entries",
                catalog=f"holds {held}",
                log=f"signed for {size} entries",
                advice=f"The catalog was rolled back. {_REBUILD}",
            )
        segments = iter_segments(list_payloads(self.vault.objects), 0, min(size, held))
        work = partial(_read_or_tell, log_retention=self.log_retention)
        for segment, rows in self.bulk.run(work, segments):
            if rows is not None:  # what is missing is told of already
                yield from self._compare_segment(segment, rows)

    def _find_size(self) -> int:
        highest = select(func.coalesce(func.max(tables.entries.c.leaf_index) + 1, 0))
        with self.vault.database.begin() as connection:
            return int(connection.execute(highest).scalar_one())

    def _compare_segment(self, segment: Segment, rows: list[dict[str, Any]]) -> Iterator[Difference]:
        entries = tables.entries.c
        wanted = select(tables.entries).where(entries.leaf_index.between(segment.start, segment.stop - 1))
        with self.vault.database.begin() as connection:
            held = {row["leaf_index"]: dict(row) for row in connection.execute(wanted).mappings()}
        for row in rows:
            difference = self._compare_entry(row, held.get(row["leaf_index"]))
            if difference is not None:
                yield difference

    def _compare_entry(self, told: Mapping[str, Any], row: Mapping[str, Any] | None) -> Difference | None:
        subject = f"log entry {told['leaf_index']}"
        if row is None:
            return Difference(
                kind=DifferenceKind.MISSING, subject=subject, objects="in the tree", catalog="no row", advice=_REBUILD
            )
        edited = [name for name in _NAMES if row[name] != told[name]]
        if not edited:
            return None
        if not told["payload"] and set(edited) <= set(_SILENCED):
            return self._miss_payload(subject, row)
        return Difference(
            kind=DifferenceKind.ALTERED,
            subject=subject,
            objects="says otherwise",
            catalog=f"its row says otherwise in {', '.join(sorted(edited))}",
            advice=_REBUILD,
        )

    def _miss_payload(self, subject: str, row: Mapping[str, Any]) -> Difference | None:
        """Tell of a payload that the catalog has and the objects have not, or not so that it opens."""
        is_over = date.fromordinal(row["ends_on"]) < self.today
        if is_over or not row["payload"]:  # its end was reached, or changed with the register
            return None
        return Difference(
            kind=DifferenceKind.MISSING,
            subject=subject,
            objects="no payload that opens",
            catalog="a payload",
            advice="Restore the objects below audit/payloads, or the keys of its end, from a replica.",
        )


def _read_or_tell(
    vault: Vault, segment: Segment, log_retention: RetentionPolicy
) -> tuple[Segment, list[dict[str, object]] | None]:
    try:
        return segment, read_segment(vault, segment, log_retention)
    except IntegrityError:
        return segment, None
