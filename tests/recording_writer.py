"""A process that stores recordings in an archive, for tests with several writers."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from kelarec import System
from kelarec.testing.builders import make_contact, make_identity_code, make_person, make_wav
from log_writer import open_archive

if __name__ == "__main__":
    folder, catalog_url, writer, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    with open_archive(folder, catalog_url) as archive:
        for number in range(count):
            now = datetime.now(UTC)  # noqa: TID251  the archive goes by the system's clock
            person = make_person(identity_code=make_identity_code(writer))
            contact = make_contact(customer=person, started_at=now, contact_id=f"{writer}-{number}")
            archive.capture.store(contact, ended_at=now, content=make_wav(0.01), by=System("recorder@test"))
