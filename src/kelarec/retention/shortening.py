"""What another retention would mean for the recordings there are: counted before anybody decides it.

What a recording was promised when it was made stands in its record. A new version of the register never lengthens
that, whatever it says (GDPR, Art. 5(1)(b) and (e)).
"""

from collections import Counter
from datetime import date
from typing import Final

from attrs import frozen
from sqlalchemy import select

from kelarec.domain.codes import Kind
from kelarec.domain.instants import helsinki_date
from kelarec.domain.register import Register
from kelarec.storage import catalog_tables as tables
from kelarec.storage.recordings import from_microseconds, to_date
from kelarec.storage.vault import Vault

_ROWS: Final = tables.recordings.c
_AT_ONCE: Final = 5000


@frozen
class KindPreview:
    """What it would mean for the recordings of one kind.

    Attributes:
        kind: Which.
        kept: How many there are that no date has ended yet.
        shorter: How many of them would end earlier than they were promised to.
        over_now: How many of those would be over today.
        longer: How many the new version would keep longer, and which end on the promised day nevertheless.
    """

    kind: Kind
    kept: int
    shorter: int
    over_now: int
    longer: int


@frozen
class RetentionPreview:
    """What another version of the register would mean.

    Attributes:
        version: Of the register that is previewed.
        kinds: By kind, those with recordings only.
    """

    version: date
    kinds: tuple[KindPreview, ...]

    @property
    def shorter(self) -> int:
        """How many recordings would end earlier than they were promised to."""
        return sum(each.shorter for each in self.kinds)

    @property
    def over_now(self) -> int:
        """How many recordings would be over today."""
        return sum(each.over_now for each in self.kinds)


def preview_register(vault: Vault, register: Register) -> RetentionPreview:
    """Count what another version of the register would mean; nothing is changed."""
    today = helsinki_date(vault.now())
    counted: dict[Kind, Counter[str]] = {kind: Counter() for kind in Kind}
    wanted = select(_ROWS.id, _ROWS.kind, _ROWS.started_at, _ROWS.kept_through).order_by(_ROWS.id).limit(_AT_ONCE)
    wanted = wanted.where(_ROWS.kept_through >= today.toordinal())
    last = b""
    while True:
        with vault.database.begin() as connection:
            rows = connection.execute(wanted.where(_ROWS.id > last)).all()
        for row in rows:
            kind, promised = Kind(row.kind), to_date(row.kept_through)
            ruled = register.get_retention(kind).last_day(from_microseconds(row.started_at))
            counted[kind].update(_classify(promised, ruled, today))
        if len(rows) < _AT_ONCE:
            return RetentionPreview(register.version, tuple(_to_preview(*each) for each in counted.items() if each[1]))
        last = rows[-1].id


def _classify(promised: date, ruled: date, today: date) -> list[str]:
    told = ["kept"]
    if ruled < promised:
        told += ["shorter", "over_now"] if ruled < today else ["shorter"]
    elif ruled > promised:
        told.append("longer")
    return told


def _to_preview(kind: Kind, counts: "Counter[str]") -> KindPreview:
    return KindPreview(kind, counts["kept"], counts["shorter"], counts["over_now"], counts["longer"])
