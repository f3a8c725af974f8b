"""The forms of courses: what they show, and what is read from what was sent."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time
from typing import Any, Self
from zoneinfo import ZoneInfo

from db.courses import CourseDetails, course_mark
from db.errors import GridrollError
from db.planning import PlanError, session_mark
from db.schema import Course, SessionRow, SlotRow
from db.timetable import NewSlot, slot_mark
from db.years import FIRST_YEAR, LAST_YEAR
from portal.moments import local

__all__ = ["DetailsForm", "RulesForm", "SessionForm", "SlotForm"]


@dataclass(frozen=True, slots=True)
class Form:
    """Fields as texts. `mark`: stands for the record as it was read; empty for a new one."""

    mark: str = ""

    @classmethod
    def sent(cls, values: Mapping[str, str]) -> Self:
        return cls(**{one.name: values.get(one.name, "").strip() for one in fields(cls)})


@dataclass(frozen=True, slots=True)
class DetailsForm(Form):
    """`limit`: percent."""

    code: str = ""
    title: str = ""
    time_zone: str = ""
    limit: str = ""

    @classmethod
    def of(cls, course: Course) -> "DetailsForm":
        return cls(
            mark=course_mark(course),
            code=course.code,
            title=course.title or "",
            time_zone=course.time_zone,
            limit="" if course.attendance_limit is None else _percent(course.attendance_limit),
        )

    def details(self) -> CourseDetails:
        """Raises GridrollError."""
        limit = None if not self.limit else _share(self.limit, "attendance limit")
        return CourseDetails(" ".join(self.title.split()) or None, self.time_zone, limit)


@dataclass(frozen=True, slots=True)
class RulesForm(Form):
    """`late_after`, `left_early`: minutes; `min_presence`: percent; `past`: `yes` where the past is meant too."""

    late_after: str = ""
    left_early: str = ""
    min_presence: str = ""
    past: str = ""
    reason: str = ""

    @classmethod
    def of(cls, course: Course) -> "RulesForm":
        return cls(
            mark=course_mark(course),
            late_after=f"{course.late_after_s / 60:g}",
            left_early=f"{course.left_early_s / 60:g}",
            min_presence=_percent(course.min_presence),
        )

    def rules(self, course: Course) -> dict[str, int | float]:
        """What is another rule than the course has, by column. Raises GridrollError."""
        if len(self.reason) > 2000:
            raise GridrollError(f"the reason has {len(self.reason)} characters; at most 2000 fit")
        held = RulesForm.of(course)
        wanted: dict[str, int | float] = {}
        # A text that was not touched stands for the very value it was made of.
        if self.late_after != held.late_after:
            wanted["late_after_s"] = _seconds(self.late_after, "late")
        if self.left_early != held.left_early:
            wanted["left_early_s"] = _seconds(self.left_early, "left early")
        if self.min_presence != held.min_presence:
            wanted["min_presence"] = _share(self.min_presence, "least presence")
        return wanted


@dataclass(frozen=True, slots=True)
class SlotForm(Form):
    weekday: str = ""
    begins: str = ""
    minutes: str = ""
    from_on: str = ""
    until_on: str = ""
    title: str = ""

    @classmethod
    def of(cls, row: SlotRow) -> "SlotForm":
        texts = {one.name: str(getattr(row, one.name)) for one in fields(cls) if one.name != "mark"}
        return cls(mark=slot_mark(row), **texts)

    def slot(self) -> NewSlot:
        """Raises PlanError for what is no number; the rest is checked where it is stored."""
        weekday = int(self.weekday) if self.weekday in {*"0123456"} else -1
        minutes = _minutes(self.minutes)
        title = " ".join(self.title.split())
        return NewSlot(weekday, self.begins, minutes, self.from_on, self.until_on, title)


@dataclass(frozen=True, slots=True)
class SessionForm(Form):
    """`day`, `begins`: as the clocks of the course's time zone show them."""

    title: str = ""
    day: str = ""
    begins: str = ""
    minutes: str = ""

    @classmethod
    def of(cls, row: SessionRow) -> "SessionForm":
        there = local(row.starts_at, row.course.time_zone)
        return cls(
            mark=session_mark(row),
            title=row.title,
            day=there.date().isoformat(),
            begins=f"{there:%H:%M}",
            minutes=f"{(row.ends_at - row.starts_at).total_seconds() / 60:g}",
        )

    def planned(self, time_zone: str) -> dict[str, Any]:
        """Title, beginning in UTC and minutes. Raises PlanError."""
        title = " ".join(self.title.split())
        return {"title": title, "starts_at": self._starts_at(time_zone), "minutes": _minutes(self.minutes)}

    def _starts_at(self, time_zone: str) -> datetime:
        try:
            day = date.fromisoformat(self.day)
        except ValueError as error:
            raise PlanError(f"{self.day[:20]!r} is no date; write e.g. 2026-11-20") from error
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise PlanError(f"the year of {self.day[:20]} cannot be; write e.g. 2026-11-20")
        try:
            shown = time.fromisoformat(self.begins)
        except ValueError as error:
            raise PlanError(f"{self.begins[:20]!r} is no time of day; write e.g. 09:15") from error
        if shown.tzinfo is not None:
            raise PlanError(
                f"{self.begins[:20]!r} names an offset; write the time of {time_zone}, e.g. 09:15"
            )
        zone = ZoneInfo(time_zone)
        moment = datetime.combine(day, shown, zone).astimezone(UTC)
        if moment.astimezone(zone).time() != shown:
            raise PlanError(
                f"on {self.day} clocks in {time_zone} are set forward over {self.begins}; give another time"
            )
        return moment


def _percent(share: float) -> str:
    return f"{round(share * 100, 6):g}"


def _share(text: str, what: str) -> float:
    try:
        found = float(text.replace(",", ".").removesuffix("%")) / 100
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise GridrollError(f"{text[:20]!r} is no {what} in percent; give 0 to 100")
    return found


def _seconds(text: str, what: str) -> int:
    try:
        found = float(text.replace(",", ".")) * 60
    except ValueError:
        found = -1.0
    if not 0 <= found <= 86400:
        raise GridrollError(f"{text[:20]!r} is no number of minutes for {what}; give 0 to 1440")
    return round(found)


def _minutes(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise PlanError(f"{text[:20]!r} is no whole number of minutes; give 1 to 1440") from error
