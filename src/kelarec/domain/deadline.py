"""When the answer to a subject request is due, and why on that day.

The controller has one month from receipt, and may lengthen it by two (Regulation (EU) 2016/679, Art. 12(3)). How a
month is counted is laid down by Regulation (EEC, Euratom) 1182/71, Art. 3. Both reckonings start from the receipt: the
longer one does not build on a first date that a holiday has already moved.
"""

from datetime import date, datetime, timedelta
from typing import Final, Self

from attrs import field, frozen

from kelarec.domain.holidays import HOLDS_FROM, is_working_day, public_holiday
from kelarec.domain.instants import add_months, end_of, helsinki_date
from kelarec.errors import InvalidValueError

_DAY_OF_RECEIPT: Final = "Regulation 1182/71, Art. 3(1)"
_MONTHS: Final = "GDPR, Art. 12(3); Regulation 1182/71, Art. 3(2)(c)"
_WORKING_DAY: Final = "Regulation 1182/71, Art. 3(4)"

_MONTHS_TO_ANSWER: Final = 1
_MONTHS_IF_EXTENDED: Final = 3
_SATURDAY: Final = 5


@frozen
class Step:
    """One step of the reckoning.

    Attributes:
        on: The Helsinki date that the reckoning has reached.
        rule: The article that makes the step.
        text: What the step says, as a clause without a full stop.
    """

    on: date
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.text} ({self.rule})."


# A converter and no validator: attrs reckons the other fields before it runs validators.
def _to_day_of_receipt(value: object) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise InvalidValueError(
            "The day of receipt is no date.", advice="Use Deadline.for_request with the instant of receipt."
        )
    if value < HOLDS_FROM:
        raise InvalidValueError(
            f"A request cannot have come in on {_plain(value)} under a regulation that did not apply yet.",
            advice="Check the clock of the channel that reported it.",
        )
    return value


@frozen
class Deadline:
    """The last day for an answer, with and without an extension; everything follows from the day of receipt.

    Attributes:
        received_on: The Helsinki date on which the request reached a channel, whichever it was.
        due_on: The Helsinki date by whose end the answer, a refusal, or the notice of an extension has gone out.
        extended_due_on: The Helsinki date by whose end an answer with a valid extension has gone out.
        steps: How ``due_on`` was found.
        extended_steps: How ``extended_due_on`` was found.

    Raises:
        InvalidValueError: ``received_on`` is no date, or is before 25.5.2018, when the GDPR began to apply.

    Source: GDPR, Art. 12(3) and (4); Regulation 1182/71, Art. 3.
    """

    received_on: date = field(converter=_to_day_of_receipt)
    steps: tuple[Step, ...] = field(init=False, repr=False, eq=False)
    extended_steps: tuple[Step, ...] = field(init=False, repr=False, eq=False)
    due_on: date = field(init=False, eq=False)
    extended_due_on: date = field(init=False, eq=False)

    @classmethod
    def for_request(cls, received_at: datetime) -> Self:
        """Reckon the deadline of a request that reached a channel at an instant.

        Raises:
            NaiveInstantError: The instant has no time zone.
            InvalidValueError: It is before 25.5.2018.
        """
        return cls(helsinki_date(received_at))

    @steps.default
    def _reckon(self) -> tuple[Step, ...]:
        return _steps(self.received_on, _MONTHS_TO_ANSWER, "One month from receipt")

    @extended_steps.default
    def _reckon_extended(self) -> tuple[Step, ...]:
        return _steps(self.received_on, _MONTHS_IF_EXTENDED, "The extended period, three months from receipt,")

    @due_on.default
    def _last_step(self) -> date:
        return self.steps[-1].on

    @extended_due_on.default
    def _last_extended_step(self) -> date:
        return self.extended_steps[-1].on

    @property
    def due_at(self) -> datetime:
        """The UTC instant at which ``due_on`` is over: 24:00 in Helsinki."""
        return end_of(self.due_on)

    @property
    def extended_due_at(self) -> datetime:
        """The UTC instant at which ``extended_due_on`` is over: 24:00 in Helsinki."""
        return end_of(self.extended_due_on)

    def explain(self) -> str:
        """Return both reckonings in sentences, each with the article it rests on."""
        due, extended = _plain(self.due_on), _plain(self.extended_due_on)
        return " ".join(
            [
                *map(str, self.steps),
                f"The answer is due by 24:00 Helsinki time on {due}.",
                "If an extension is notified with its reasons by then (GDPR, Art. 12(3)), this follows instead.",
                *map(str, self.extended_steps[1:]),
                f"The answer is then due by 24:00 Helsinki time on {extended}.",
            ]
        )

    __str__ = explain


def _steps(received_on: date, months: int, period: str) -> tuple[Step, ...]:
    receipt = Step(
        received_on,
        _DAY_OF_RECEIPT,
        f"The request came in on {_plain(received_on)}, Helsinki time, and that day itself does not count",
    )
    ends_on = add_months(received_on, months)
    if ends_on.day == received_on.day:
        text = f"{period} ends with {_plain(ends_on)}"
    else:
        missing = f"{received_on.day}.{ends_on.month}.{ends_on.year}"
        text = f"{period} ends with {_plain(ends_on)}, the last day of its month, as there is no {missing}"
    return (receipt, Step(ends_on, _MONTHS, text), *_steps_to_working_day(ends_on))


def _steps_to_working_day(day: date) -> tuple[Step, ...]:
    if is_working_day(day):
        return ()
    steps = []
    while not is_working_day(day):
        steps.append(Step(day, _WORKING_DAY, f"{_plain(day)} is {_day_off(day)}"))
        day += timedelta(days=1)
    return (*steps, Step(day, _WORKING_DAY, f"{_plain(day)} is the next working day"))


def _day_off(day: date) -> str:
    return public_holiday(day) or ("a Saturday" if day.weekday() == _SATURDAY else "a Sunday")


def _plain(day: date) -> str:
    return f"{day.day}.{day.month}.{day.year}"
