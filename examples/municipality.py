"""Another authority's register, as a TOML file: the archive obeys it without a line of code.

The municipality is invented, as is everybody in it.
"""

from datetime import date, timedelta
from pathlib import Path

from kelarec import Archive, System, load_register
from kelarec.errors import DeniedError, InvalidValueError, OutsideNoticeError
from kelarec.testing.builders import make_contact, make_identity_code, make_person, make_staff_member, make_wav
from kelarec.testing.clock import MovableClock

REGISTER = load_register(Path(__file__).parent / "data" / "municipality.toml")
RECORDER, CODE, CLOCK = System("recorder@town-hall"), make_identity_code(), MovableClock()


def check(holds: bool, what: str) -> None:  # noqa: FBT001  reads as a sentence where it is called
    """Print what is true, and stop the story where it is not."""
    if not holds:
        raise SystemExit(f"Not true: {what}.")
    print(f"- {what}")


with Archive.in_memory(REGISTER, clock=CLOCK) as archive:
    print(archive.register.name)
    member = make_staff_member()
    archive.staff.enrol(member, by=RECORDER)
    contact = make_contact(
        line="service-line", customer=make_person(identity_code=CODE), adviser_id=member.id, started_at=CLOCK()
    )
    CLOCK.move(timedelta(seconds=5))
    call = archive.capture.store(contact, ended_at=CLOCK(), content=make_wav(5), by=RECORDER)
    check(call.kept_through == date(2028, 3, 5), "a call of 5.3.2026 is kept through 5.3.2028: two years")
    check(call.register_version == date(2026, 1, 1), "it names the notice it was made under")

    try:
        archive.capture.store(make_contact(), ended_at=CLOCK(), content=make_wav(1), by=RECORDER)
        check(holds=False, what="a line of another authority is refused")
    except OutsideNoticeError as error:
        check(holds=True, what=f"a line of another authority is refused: {error.happened}")

    with archive.session(by=member.id, purpose="verify-service-event", matter="ESI-1") as session:
        check(session.find(CODE) == [call], "the adviser finds it for the purpose that the notice names")
    try:
        with archive.session(by=member.id, purpose="staff-training", matter="ESI-2") as session:
            session.open(call.id)
        check(holds=False, what="nobody trains with it")
    except (DeniedError, InvalidValueError) as error:
        check(holds=True, what=f"nobody trains with it: {error}")

    CLOCK.set(call.ends_at + timedelta(hours=1))
    [swept] = archive.retention.sweep(by=System("sweep@town-hall"))
    check(swept.recordings == 1, "after two years its day's key is destroyed")
