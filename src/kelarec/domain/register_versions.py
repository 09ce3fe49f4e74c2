"""The versions of one register: each is in force from the start of its date, in Helsinki, until the next one's."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final

import attrs
from attrs import field, frozen
from attrs.validators import deep_iterable, instance_of, min_len

from kelarec.domain.instants import helsinki_date, start_of, to_utc
from kelarec.domain.notice_facts import Validity
from kelarec.domain.register import Register
from kelarec.domain.retention import RetentionPolicy
from kelarec.errors import Fault, InvalidValueError, VersionFaultsError

TIME_TO_LEARN: Final = timedelta(minutes=10)
"""How long before a version begins it must be adopted: every process that has the archive open has learned of it."""


def _to_versions(registers: Iterable[Register]) -> tuple[Register, ...]:
    return tuple(registers)


@frozen
class RegisterVersions:
    """Every version of a register that an archive has adopted, the oldest first.

    Since each begins where the one before it ends, no two of them ever hold at once and no day is without one.

    Raises:
        InvalidValueError: There is none, two bear different names, or a version is not newer than the one before it.
    """

    versions: tuple[Register, ...] = field(
        converter=_to_versions, validator=[min_len(1), deep_iterable(instance_of(Register))]
    )

    def __attrs_post_init__(self) -> None:
        for before, after in zip(self.versions, self.versions[1:], strict=False):
            if before.name != after.name:
                raise InvalidValueError("Two versions of a register bear different names.")
            if after.version <= before.version:
                raise InvalidValueError(f"The version {after.version} does not follow {before.version}.")

    def __iter__(self) -> Iterator[Register]:
        return iter(self.versions)

    @property
    def newest(self) -> Register:
        """The version that was adopted last; it may begin in the future."""
        return self.versions[-1]

    def in_force(self, at: datetime) -> Register:
        """Return the version in force at an instant; before the first one's date that one, which covers nothing yet."""
        return self.versions[0] if len(self.versions) == 1 else self.on(helsinki_date(at))

    def on(self, day: date) -> Register:
        """Return the version in force on a Helsinki date, as `in_force`."""
        return next((each for each in reversed(self.versions) if each.version <= day), self.versions[0])

    def find(self, version: date) -> Register | None:
        """Return the version of a date, or None if no such version was adopted."""
        return next((each for each in self.versions if each.version == version), None)

    def in_force_between(self, first: datetime, last: datetime) -> tuple[Register, ...]:
        """Return the versions that are in force at some instant from a first to a last one, the oldest first."""
        begins, ends = self.in_force(first), self.in_force(last)
        return self.versions[self.versions.index(begins) : self.versions.index(ends) + 1]

    @property
    def longest_retention(self) -> RetentionPolicy:
        """The longest that any version keeps recordings."""
        return max(self.retention_policies, key=lambda each: each.years)

    @property
    def retention_policies(self) -> tuple[RetentionPolicy, ...]:
        """Every policy by which a recording may be kept under any version."""
        return tuple(dict.fromkeys(policy for each in self.versions for policy in each.retention_policies))

    def require_may_follow(self, register: Register, now: datetime) -> None:
        """Check that a version may be adopted now: it begins after all others and late enough, and rewrites no past.

        Raises:
            VersionFaultsError: With every fault and its place.
        """
        faults = [*self._iter_faults_of_date(register, now), *_iter_rewritten(self.newest, register)]
        if register.name != self.newest.name:
            faults.append(Fault("name", "It is another name: another register, which needs an archive of its own."))
        if faults:
            raise VersionFaultsError(faults)

    def add(self, register: Register) -> "RegisterVersions":
        """Return these versions and a newer one."""
        return RegisterVersions((*self.versions, register))

    def _iter_faults_of_date(self, register: Register, now: datetime) -> Iterator[Fault]:
        if register.version <= self.newest.version:
            yield Fault("version", f"It does not begin after the version of {self.newest.version}: they overlap.")
        elif start_of(register.version) < to_utc(now) + TIME_TO_LEARN:
            minutes = int(TIME_TO_LEARN.total_seconds() // 60)
            yield Fault(
                "version",
                f"It reaches back: it must begin {minutes} minutes from now or later, at a Helsinki midnight.",
            )


def _iter_rewritten(before: Register, after: Register) -> Iterator[Fault]:
    """Go through the facts whose validity says of the time before a version what the one before it did not say."""
    for name in (attribute.name for attribute in attrs.fields(Register)):
        known = {_key(each): each.valid for each in _list_dated(before, name)}
        for number, fact in enumerate(_list_dated(after, name)):
            was = known.get(_key(fact))
            place = f"{name}[{number}].valid"
            if _begins_before(fact.valid, after.version) and (was is None or _later(was.from_on, fact.valid.from_on)):
                yield Fault(f"{place}.from_on", "It reaches back: the version before it does not say so.")
            if _ends_before(fact.valid, after.version) and (was is None or was.through_on != fact.valid.through_on):
                yield Fault(f"{place}.through_on", "It ends before this version begins, which nobody was told.")


def _list_dated(register: Register, name: str) -> list[Any]:
    facts = getattr(register, name)
    return [each for each in facts if hasattr(each, "valid")] if isinstance(facts, tuple) else []


def _key(fact: Any) -> object:  # noqa: ANN401  a declaration of the register
    return getattr(fact, "code", None) or fact.name


def _begins_before(valid: Validity, day: date) -> bool:
    return valid.from_on is not None and valid.from_on < day


def _later(was: date | None, is_now: date | None) -> bool:
    return was is not None and is_now is not None and is_now < was


def _ends_before(valid: Validity, day: date) -> bool:
    return valid.through_on is not None and valid.through_on < day
