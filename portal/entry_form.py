"""The form by which staff edit an entry: what it shows, and what is read from what they sent."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid4, uuid5

from db.edits import EditError, NewEdit, is_near
from db.entries import EntrySheet
from portal.moments import at_clock, clock, hours, zone

__all__ = ["EntryForm"]

WRITTEN = ("status", "joined", "last_seen", "minutes", "remark")


@dataclass(frozen=True, slots=True)
class EntryForm:
    """The fields as texts, empty where the entry is as the machine says.

    `version`: of the entry as its editor saw it; `uid`: the same however often the form is sent. `kept`: fields that the
    form does not have, which stay as staff said.
    """

    status: str = ""
    joined: str = ""
    last_seen: str = ""
    minutes: str = ""
    remark: str = ""
    reason: str = ""
    version: str = ""
    uid: str = ""
    kept: frozenset[str] = frozenset()

    @classmethod
    def blank(cls, sheet: EntrySheet) -> "EntryForm":
        """What is in force, to be changed."""
        said, zone = sheet.said, sheet.session.time_zone
        return cls(
            status=said.status or "",
            joined="" if said.joined_at is None else clock(said.joined_at, zone),
            last_seen="" if said.last_seen_at is None else clock(said.last_seen_at, zone),
            minutes="" if said.minutes is None else _number(said.minutes),
            remark=said.remark,
            version=str(sheet.version),
            uid=str(uuid4()),
        )

    @classmethod
    def sent(cls, values: Mapping[str, str]) -> "EntryForm":
        def text(name: str) -> str:
            return values.get(name, "").replace("\r\n", "\n").strip()

        names = [name for name in cls.__dataclass_fields__ if name != "kept"]
        kept = frozenset(name for name in WRITTEN if name not in values)
        return cls(**{name: text(name) for name in names}, kept=kept)

    @property
    def seen_version(self) -> int | None:
        """The version the editor saw; None where the form does not say."""
        known = self.version.isascii() and self.version.isdecimal() and len(self.version) < 10
        return int(self.version) if known else None

    def edit(self, sheet: EntrySheet, made_by: str) -> NewEdit:
        """What the form asks for. Raises EditError for what cannot be read."""
        held = EntryForm.blank(sheet)
        sent = replace(self, **{name: getattr(held, name) for name in self.kept})
        # A text that was not touched stands for the very moment it was made of, to the microsecond.
        joined = sheet.said.joined_at if sent.joined == held.joined else _moment(sent.joined, sheet)
        left = sheet.said.last_seen_at if sent.last_seen == held.last_seen else _moment(sent.last_seen, sheet)
        minutes = sheet.said.minutes if sent.minutes == held.minutes else _minutes(sent.minutes, sheet)
        return NewEdit(
            session_id=sheet.session.id,
            student_no=sheet.line.student_no,
            reason=self.reason,
            made_by=made_by,
            status=sent.status or None,
            joined_at=joined,
            last_seen_at=left,
            minutes=minutes,
            remark=" ".join(sent.remark.split()),
            expected_version=self._version(),
            uid=self._uid(sheet),
        )

    def hand_back(self, sheet: EntrySheet, made_by: str) -> NewEdit:
        """Leaves all of the entry to the machine again."""
        return NewEdit(
            session_id=sheet.session.id,
            student_no=sheet.line.student_no,
            reason=self.reason,
            made_by=made_by,
            expected_version=self._version(),
            uid=self._uid(sheet),
        )

    def _version(self) -> int:
        if self.seen_version is None:
            raise EditError("the form did not arrive whole; look at the entry above, then send it again")
        return self.seen_version

    def _uid(self, sheet: EntrySheet) -> str:
        # One of its own for each entry, whatever was sent.
        seed = self.uid or str(uuid4())
        return str(uuid5(NAMESPACE_URL, f"gridroll/{sheet.session.id}/{sheet.line.student_no}/{seed}"))


def _moment(text: str, sheet: EntrySheet) -> datetime | None:
    if not text:
        return None
    session = sheet.session
    middle = session.starts_at + (session.ends_at - session.starts_at) / 2
    try:
        moment = at_clock(text, middle, session.time_zone)
    except ValueError as error:
        raise EditError(
            f"{text[:20]!r} is no time of that day in {session.time_zone}; write e.g. 09:05"
        ) from error
    if not is_near(moment, session.starts_at, session.ends_at):
        begins, ends = hours(session.starts_at, session.time_zone), hours(session.ends_at, session.time_zone)
        raise EditError(
            f"{text} is not within the class; give a time from {begins} to {ends} "
            f"{zone(session.starts_at, session.time_zone)}"
        )
    return moment


def _minutes(text: str, sheet: EntrySheet) -> float | None:
    if not text:
        return None
    try:
        return float(text.replace(",", "."))
    except ValueError as error:
        length = (sheet.session.ends_at - sheet.session.starts_at) / timedelta(minutes=1)
        raise EditError(f"{text[:20]!r} is no number of minutes; give 0 to {length:g}") from error


def _number(value: float) -> str:
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)
