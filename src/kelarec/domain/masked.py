"""Masked details: what is left of a recording's metadata when nobody in it may be recognised (notice, section 4)."""

from typing import Final

from attrs import evolve

from kelarec.domain.recording import Recording, RecordingDetails

MASKED: Final = "masked"


def mask_details(details: RecordingDetails) -> RecordingDetails:
    """Return details without names, codes, addresses, staff ids, matter, contact id and the reason of a restriction."""
    contact = evolve(
        details.contact,
        contact_id=MASKED,
        customer=None,
        others=(),
        adviser_id=None,
        support_expert_id=None,
        matter=None,
        unit=None,
    )
    return evolve(details, contact=contact, transfers=(), restriction=None)


def mask_recording_facts(recording: Recording) -> Recording:
    """Return the clear facts without the adviser's id."""
    return evolve(recording, adviser_id=None)
