"""What all errors of kelarec have in common."""

from typing import ClassVar


class KelarecError(Exception):
    """What all errors of kelarec have in common.

    Attributes:
        code: A stable word for programs.
        lost: What was lost; "nothing" if nothing was.
        advice: What the reader can do about it.
    """

    code: ClassVar[str] = "kelarec"
    default_advice: ClassVar[str] = ""

    def __init__(self, happened: str, *, lost: str = "nothing", advice: str | None = None) -> None:
        self.happened = happened
        self.lost = lost
        self.advice = self.default_advice if advice is None else advice
        super().__init__(happened)

    def __str__(self) -> str:
        lost = "" if self.lost == "nothing" else f" Lost: {self.lost}."
        advice = f" {self.advice}" if self.advice else ""
        return f"{self.happened}{lost}{advice}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.happened, self.lost, self.advice))


def _rebuild(kind: type[KelarecError], happened: str, lost: str, advice: str) -> KelarecError:
    return kind(happened, lost=lost, advice=advice)
