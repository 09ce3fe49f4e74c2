"""How full the spool of this process is, and how far behind."""

from datetime import datetime

from attrs import frozen


@frozen(kw_only=True)
class SpoolState:
    """The spool of one process at one instant.

    Attributes:
        takes: How many takes it holds that are not in the archive yet.
        bytes: How large its files are.
        durable_at: What came before this instant is durable; None while nothing is being taken.
        refusal: Why no take can begin just now, as an error code; None if one can.
    """

    takes: int = 0
    bytes: int = 0
    durable_at: datetime | None = None
    refusal: str | None = None
