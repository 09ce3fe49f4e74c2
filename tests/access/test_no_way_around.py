"""No way to content or personal data but through a session: notice of 18.8.2020, section 10.

Every public callable of the library is called without a session, with arguments of the types it asks for: the archive
and all that it consists of, what earlier calls gave, and values of hypothesis' strategies. Whatever comes back, raised
errors among it, is searched along every public attribute, item and iterator for words that only a session may give.
"""

import importlib
import inspect
import io
import pkgutil
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from datetime import date, datetime, timedelta
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest
from attrs import evolve, field, frozen
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import kelarec
from access.staffing import ANSA, HR, OLLI, OSMA, RECORDER, TIIA, TUIJA, VEIKKO, begin, enrol_all
from kelarec import (
    AccessRequest,
    Address,
    Archive,
    Chat,
    Contact,
    EmailAddress,
    Kind,
    Person,
    PersonalIdentityCode,
    PhoneNumber,
    StaffId,
    System,
    Wanted,
)
from kelarec.audit.entries import EntryKind
from kelarec.storage.key_export import UNSAFE_EXPORT_TOKEN
from kelarec.storage.recordings import Recordings
from kelarec.testing import strategies
from kelarec.testing.builders import (
    make_chat,
    make_contact,
    make_identity_code,
    make_person,
    make_staff_member,
    make_wav,
)
from kelarec.testing.clock import USUAL_START, MovableClock

# The person's identity code is no marker: whoever asks knows it already, and may try to get more for it.
MARKERS: Final = ("Merkkinen", "Tunnusmerkki", "merkki.tuntematon", "+358509876543", "Salasanottu", "Merkkikaupunki")
PERSON: Final = Person(
    name="Tunnusmerkki Merkkinen",
    identity_code=make_identity_code(83, born_on=date(1950, 5, 5)),
    phone_number=PhoneNumber("+358509876543"),
    email=EmailAddress("merkki.tuntematon@example.org"),
    address=Address("Merkkikatu 1", "99999", "Merkkikaupunki"),
)
KEYS: Final[set[str]] = set()
"""The data keys of the archive that is walked: who has one needs no session any more."""

SAID: Final = b"\x12\x34\x56\x78Salasanottu sana\x9a\xbc"
GUARDED: Final = frozenset({"Keys.unsafe_export_data_key"})
"""The sole exception: it asks for a token that must be imported by its name, and is walked without that token."""

DOORS: Final = frozenset({"Archive.session", "Archive.resume", "Sessions.begin", "Sessions.resume"})
"""What begins a session, which this walk does without."""

ENDS: Final = frozenset({"close", "__exit__", "stop"})
STRATEGIES: Final[dict[object, st.SearchStrategy[object]]] = {
    str: st.text(max_size=20) | st.sampled_from(["staff-training", "legal-claim", "KELA-1", "FI"]),
    bytes: st.binary(max_size=64),
    int: st.integers(0, 1000),
    float: st.floats(0, 10),
    bool: st.booleans(),
    date: st.dates(date(2026, 1, 1), date(2028, 1, 1)),
    datetime: strategies.instants(),
    timedelta: st.timedeltas(timedelta(0), timedelta(days=2)),
    UUID: st.uuids(),
    Person: strategies.persons(),
    Chat: strategies.chats(),
    Contact: strategies.contacts(),
    PersonalIdentityCode: strategies.identity_codes(),
    PhoneNumber: strategies.phone_numbers(),
    EmailAddress: strategies.email_addresses(),
    Address: strategies.addresses(),
    StaffId: strategies.staff_ids(),
}
_DEPTH: Final = 6
_MOST_ITEMS: Final = 200
_TEXTS: Final = (str, bytes, bytearray, memoryview)
_PLAIN: Final = (int, float, complex, bool, type(None), date, datetime, timedelta, UUID, Enum, types.ModuleType, type)


def _hold(value: object) -> bool:
    text = bytes(value).decode("latin-1") if isinstance(value, bytes | bytearray | memoryview) else str(value)
    return any(marker in text for marker in (*MARKERS, *KEYS, SAID.decode("latin-1")))


def _iter_public(value: object) -> Iterator[tuple[str, object]]:
    for name in dir(value):
        if not name.startswith("_"):
            with suppress(Exception):
                yield name, getattr(value, name)


def _show(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001  built from wrong arguments, it may not even show itself
        return repr(error)


def find_marker(value: object, path: str = "result") -> str | None:
    """Return the way along which a marker can be reached from a value, or None."""
    seen: set[int] = set()
    kept: list[object] = []
    waiting: list[tuple[object, str, int]] = [(value, path, 0)]
    while waiting:
        each, where, depth = waiting.pop()
        if id(each) in seen or depth > _DEPTH:
            continue
        seen.add(id(each))
        kept.append(each)  # an id stands for one object only while that lives
        if _hold(each if isinstance(each, _TEXTS) else _show(each)):
            return where
        is_dull = isinstance(each, (*_PLAIN, *_TEXTS)) or (callable(each) and not hasattr(each, "__attrs_attrs__"))
        if not is_dull:
            waiting += [(part, f"{where}{step}", depth + 1) for step, part in _iter_steps(each)]
    return None


def _iter_steps(value: object) -> Iterator[tuple[str, object]]:
    """Go one step from a value to all that can be had of it."""
    yield from ((".args", part) for part in (value.args if isinstance(value, BaseException) else ()))
    if isinstance(value, Mapping):
        yield from (("[...]", part) for pair in list(value.items())[:_MOST_ITEMS] for part in pair)
    elif isinstance(value, Iterable):
        with suppress(Exception):
            yield from ((f"[{number}]", part) for number, part in enumerate(islice(iter(value), _MOST_ITEMS)))
    read = getattr(value, "read", None)
    if callable(read):
        with suppress(Exception):
            yield ".read()", read()
    yield from ((f".{name}", part) for name, part in _iter_public(value))


def iter_callables() -> Iterator[tuple[str, Callable[..., object]]]:
    """Go through every public function, class and class method of the library, by name."""
    for module in pkgutil.walk_packages(kelarec.__path__, "kelarec."):
        if any(part.startswith("_") for part in module.name.split(".")) or module.name == "kelarec.testing.plugin":
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            home = getattr(value, "__module__", "")
            if name.startswith("_") or home != module.name or not callable(value):
                continue
            yield f"{module.name}.{name}", value
            if inspect.isclass(value):
                for method, member in vars(value).items():
                    if isinstance(member, classmethod | staticmethod) and not method.startswith("_"):
                        yield f"{module.name}.{name}.{method}", getattr(value, method)


def iter_methods(value: object) -> Iterator[tuple[str, Callable[..., object]]]:
    """Go through the public methods of an object, those of its public parts among them."""
    waiting, seen, kept = [(type(value).__name__, value)], set(), []
    while waiting:
        path, each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        kept.append(each)
        for name, part in _iter_public(each):
            if inspect.ismethod(part):
                yield f"{type(each).__name__}.{name}", part
            elif type(part).__module__.startswith("kelarec.") and not callable(part):
                waiting.append((f"{path}.{name}", part))


@frozen
class Pool:
    """Values by type, from which arguments are taken: what an application has in hand that never began a session."""

    values: list[object] = field(repr=False)
    folder: Path

    def add(self, value: object) -> None:
        """Keep what a call gave, for later calls."""
        given = list(value)[:5] if isinstance(value, list | tuple | set | frozenset) else [value]
        self.values.extend(each for each in given if type(each).__module__.startswith("kelarec."))
        del self.values[400:]

    def strategy(self, annotation: object) -> st.SearchStrategy[object]:
        """Return what gives values of an annotated type: those at hand, else what hypothesis makes of it."""
        if annotation in {inspect.Parameter.empty, Any, object}:
            return st.sampled_from(self.values) | st.none() | st.integers() | st.text(max_size=10)
        origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
        if origin in {typing.Union, types.UnionType}:
            return st.one_of(*map(self.strategy, inner))
        if origin is not None and inspect.isclass(origin) and issubclass(origin, Iterable) and inner:
            several = st.lists(self.strategy(inner[0]), max_size=3)
            return several.map(dict.fromkeys if issubclass(origin, Mapping) else tuple)
        if annotation is Path:
            return st.just(self.folder / "elsewhere")
        fitting = [each for each in self.values if _fits(each, annotation)]
        made = STRATEGIES.get(annotation, st.none())
        return st.sampled_from(fitting) | made if fitting else made


def _fits(value: object, annotation: object) -> bool:
    try:
        return inspect.isclass(annotation) and isinstance(value, annotation)
    except TypeError:  # a protocol that cannot be asked at run time
        return False


def arguments_of(call: Callable[..., object], pool: Pool) -> dict[str, st.SearchStrategy[object]]:
    """Return what gives the arguments of a callable, by name."""
    try:
        signature = inspect.signature(call, eval_str=True)
    except (ValueError, TypeError, NameError):
        return {}
    given_by_name = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    return {
        name: pool.strategy(parameter.annotation)
        for name, parameter in signature.parameters.items()
        if parameter.kind in given_by_name and name != "self"
    }


@pytest.fixture
def marked(kelarec_archive: Archive) -> Iterator[Archive]:
    """An archive in which everything that only a session gives is marked, and much was done already."""
    archive = kelarec_archive
    enrol_all(archive)
    wav = make_wav(1)
    contact = make_contact(customer=PERSON, others=(make_person(name="Toinen Merkkinen"),), contact_id="Merkkinen-1")
    call = archive.capture.store(
        contact, ended_at=USUAL_START + timedelta(seconds=1), content=wav[:-64] + SAID.ljust(64), by=RECORDER
    )
    chat = archive.capture.store(
        evolve(contact, kind=Kind.CUSTOMER_CHAT, line="kela-fi"),
        ended_at=USUAL_START,
        content=make_chat("Salasanottu sana", "Hei Merkkinen"),
        by=RECORDER,
    )
    archive.rights.receive(AccessRequest(person=PERSON, channel="telephone", received_at=USUAL_START), by=RECORDER)
    with begin(archive, TUIJA) as session:
        session.select(Wanted(count=9), seed=b"")
        session.mask(chat.id, masked_for="staff-training")
    with begin(archive, TIIA, break_glass="no time") as session:
        session.disclose([call.id], recipient="court", country="FI", ground="Act 1/2020", items="call")
        session.open(call.id).read()
    begin(archive, VEIKKO).read_chat(chat.id)
    KEYS.update(find_data_key(archive, each.id) for each in (call, chat))
    yield archive
    KEYS.clear()


def find_data_key(archive: Archive, recording_id: UUID) -> str:
    """Return the data key of a recording as a marker."""
    with archive._vault.database.begin() as connection:
        opened = Recordings(archive._vault).find_one(connection, recording_id)
    assert opened is not None
    return opened.data_key.bare.decode("latin-1")


def make_pool(archive: Archive, folder: Path) -> Pool:
    """Return what an application has that knows ids and people, but not the root key, and began no session."""
    (review,) = archive.access_reviews.list_open(by=ANSA)
    entries = list(archive.audit.iter_entries(by=ANSA))
    ids = [each for entry in entries for each in (entry.recording_id, entry.session_id) if each is not None]
    staff: list[object] = [VEIKKO, OSMA, TIIA, TUIJA, OLLI, ANSA, StaffId("nobody"), HR, System("sweep")]
    parts = [part for _, part in _iter_public(archive) if type(part).__module__.startswith("kelarec.")]
    values = [archive, *parts, *staff, *dict.fromkeys(ids), review, *entries[:20], MovableClock()]
    known = [make_person(), make_identity_code(83, born_on=date(1950, 5, 5))]
    return Pool([*values, *known, make_staff_member(), make_contact(), make_chat(), archive.register], folder)


def try_out(name: str, call: Callable[..., object], pool: Pool, examples: int) -> list[str]:
    """Call something with several arguments; return the ways to markers that came of it."""
    leaks: list[str] = []

    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(st.fixed_dictionaries(arguments_of(call, pool)))
    def once(arguments: dict[str, object]) -> None:
        came: object
        try:
            with redirect_stdout(io.StringIO()) as printed, redirect_stderr(printed):
                came = call(**arguments)
                came = list(islice(came, _MOST_ITEMS)) if inspect.isgenerator(came) else came
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever is raised comes back, too
            came = error
        leak = find_marker([came, printed.getvalue()])
        if leak is not None:
            leaks.append(f"{name} by {leak}")
        elif not isinstance(came, BaseException):
            pool.add(came)

    once()
    return leaks


def is_a_door(name: str) -> bool:
    """Whether something begins a session, or would end the archive that is walked."""
    return ".".join(name.split(".")[-2:]) in DOORS or name.rpartition(".")[2] in ENDS


def walk(archive: Archive, pool: Pool, examples: int) -> tuple[int, list[str]]:
    """Call everything public without a session; return how much was called and the ways to markers."""
    leaks: list[str] = []
    called = 0
    for name, call in [*iter_methods(archive), *iter_callables()]:
        if not is_a_door(name):
            leaks += try_out(name, call, pool, examples)
            called += 1
    return called, leaks


def test_the_walk_finds_what_a_session_gives(marked: Archive, tmp_path: Path) -> None:
    """With a session at hand the very same walk finds markers by every act; else it would prove nothing."""
    pool = make_pool(marked, tmp_path)
    with begin(marked, VEIKKO) as session:
        leaks = [
            leak
            for name, call in iter_methods(session)
            if name != "Session.end"
            for leak in try_out(name, call, pool, 100)
        ]
    found = {leak.split(" ")[0] for leak in leaks}
    print(f"\nwith a session: {sorted(found)}")
    assert found >= {"Session.get_details", "Session.open", "Session.read_chat"}


def test_nothing_public_gives_what_only_a_session_gives(marked: Archive, tmp_path: Path) -> None:
    """Every public callable, called without a session: nothing that can be reached from what comes back is marked."""
    pool = make_pool(marked, tmp_path)
    assert find_marker([marked, *pool.values]) is None
    called, leaks = walk(marked, pool, examples=4)
    print(f"\n{called} public callables without a session, {len(pool.values)} values at hand, {len(leaks)} leaks")
    assert leaks == []
    assert called > 150
    assert begin(marked, VEIKKO).find(make_identity_code(83, born_on=date(1950, 5, 5))), "the archive still works"


def test_the_guarded_export_is_the_sole_exception(marked: Archive, tmp_path: Path) -> None:
    """With the imported token the same walk finds the data key by the export, and by nothing else of the keys."""
    (recording_id, *_) = {entry.recording_id for entry in marked.audit.iter_entries(by=ANSA) if entry.recording_id}
    pool = Pool([marked, TIIA, recording_id, UNSAFE_EXPORT_TOKEN], tmp_path)
    leaks = [
        leak
        for name, call in iter_methods(marked)
        if name.startswith("Keys.")
        for leak in try_out(name, call, pool, 100)
    ]
    assert {leak.split(" ")[0] for leak in leaks} == GUARDED
    assert any(entry.kind is EntryKind.DATA_KEY_EXPORTED for entry in marked.audit.iter_entries(by=ANSA))


@pytest.mark.deep
def test_nothing_public_gives_it_to_whoever_tries_longer(marked: Archive, tmp_path: Path) -> None:
    """The same with a hundred arguments for each callable."""
    called, leaks = walk(marked, make_pool(marked, tmp_path), examples=100)
    print(f"\n{called} public callables without a session, 100 arguments each, {len(leaks)} leaks")
    assert leaks == []
