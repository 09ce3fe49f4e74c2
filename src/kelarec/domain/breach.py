"""The breach clock: 72 hours from becoming aware, counted as hours."""

from datetime import datetime, timedelta
from typing import Final

from attrs import field, frozen

from kelarec.domain.instants import HELSINKI, to_utc

TIME_TO_NOTIFY: Final = timedelta(hours=72)


@frozen
class BreachClock:
    """How long a personal data breach may wait for its notification to the supervisory authority.

    The hours run on through nights, weekends, holidays and the change to or from summer time; nothing is ever rolled to
    a working day, which is the stricter reading.

    Attributes:
        aware_at: When the controller became aware of the breach, an aware instant, kept as UTC.

    Raises:
        NaiveInstantError: The instant has no time zone.

    Source: GDPR, Art. 33(1).
    """

    aware_at: datetime = field(converter=to_utc)

    @property
    def due_at(self) -> datetime:
        """The UTC instant by which the authority must be notified."""
        return self.aware_at + TIME_TO_NOTIFY

    def remaining(self, now: datetime) -> timedelta:
        """Return the time left; less than nothing once it is late.

        Raises:
            NaiveInstantError: The instant has no time zone.
        """
        return self.due_at - to_utc(now)

    def is_late(self, notified_at: datetime) -> bool:
        """Whether a notification at an instant needs reasons for the delay (Art. 33(1), second sentence).

        Raises:
            NaiveInstantError: The instant has no time zone.
        """
        return self.remaining(notified_at) < timedelta(0)

    def explain(self) -> str:
        """Say in a sentence how the end was found."""
        aware, due = (f"{at.astimezone(HELSINKI):%-d.%-m.%Y %H:%M %Z}" for at in (self.aware_at, self.due_at))
        return f"Aware at {aware}; 72 hours later, counted as hours and never rolled, is {due} (Art. 33(1))."
