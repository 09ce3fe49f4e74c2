"""A lost catalog loses no duty: what waits for a second person, and what was disclosed (notice, sections 7 and 10)."""

from typing import TYPE_CHECKING

from access.staffing import OLLI, OSMA, OUTI, TIIA, VEIKKO, begin, enrol_all, make_member
from kelarec.testing.builders import make_identity_code
from oversight_archive import OPERATOR, dump, rebuild, store

if TYPE_CHECKING:
    from conftest import Disk


def test_disclosures_proposals_and_reviews_come_back(disk: "Disk") -> None:
    """The rows of disclosures, undecided changes of staff and unreviewed emergencies follow from their objects."""
    kinds = ("disclosures", "disclosure_tokens", "staff_changes", "access_reviews")
    with disk.create() as archive:
        enrol_all(archive)
        call = store(archive)
        with begin(archive, VEIKKO, break_glass="customer in danger"):
            pass
        change = archive.staff.propose(make_member(VEIKKO, unit="south"), by=OLLI)
        with begin(archive, TIIA) as session:
            disclosure = session.disclose(
                [call.id],
                recipient="Helsingin käräjäoikeus",
                country="FI",
                ground="Act 808/2019, 24 §",
                items="the call",
            )
        before = {name: dump(archive)[name] for name in kinds}
        assert all(before.values())
        archive.verify(by=OPERATOR)
    disk.catalog.unlink()
    with rebuild(disk) as archive:
        rows = dump(archive)
        assert {name: rows[name] for name in kinds} == before
        with begin(archive, OSMA) as session:
            assert session.list_disclosures(make_identity_code()) == [disclosure]
        archive.staff.confirm(change.id, by=OUTI)
        assert dump(archive)["staff_changes"] == []
        archive.verify(by=OPERATOR)
