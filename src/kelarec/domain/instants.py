"""Instants are aware UTC, dates are Helsinki dates.

Every promise of the notice that names a day means a day in Finland.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from kelarec.errors import InvalidValueError, NaiveInstantError

HELSINKI = ZoneInfo("Europe/Helsinki")


def to_utc(instant: datetime) -> datetime:
    """Return the same instant in UTC.

    Raises:
        InvalidValueError: It is not a datetime.
        NaiveInstantError: The instant has no time zone.
    """
    if not isinstance(instant, datetime):
        raise InvalidValueError("An instant is not a datetime.", advice="Give an aware datetime.")
    if instant.tzinfo is None or instant.utcoffset() is None:
        raise NaiveInstantError(f"The instant {instant.isoformat()} has no time zone.")
    return instant.astimezone(UTC)


def helsinki_date(instant: datetime) -> date:
    """Return the date on a wall calendar in Helsinki at an instant.

    Raises:
        NaiveInstantError: The instant has no time zone.
    """
    return to_utc(instant).astimezone(HELSINKI).date()


def start_of(day: date) -> datetime:
    """Return the UTC instant at which a Helsinki date begins."""
    return datetime.combine(day, time.min, tzinfo=HELSINKI).astimezone(UTC)


def end_of(day: date) -> datetime:
    """Return the UTC instant at which a Helsinki date is over: 24:00, the next midnight."""
    return start_of(day + timedelta(days=1))


def add_months(day: date, months: int) -> date:
    """Return the same day-number some months later, or that month's last day if it has no such number.

    Source: Regulation (EEC, Euratom) 1182/71, Art. 3(2)(c).
    """
    years, month_index = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month_index + 1
    first_of_next = date(year + month // 12, month % 12 + 1, 1)
    last_day = (first_of_next - timedelta(days=1)).day
    return date(year, month, min(day.day, last_day))
