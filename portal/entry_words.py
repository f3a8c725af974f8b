"""Edits of an entry in words."""

from datetime import datetime

from db.entries import EditLine, Said
from portal.moments import clock
from portal.wording import minutes, status

__all__ = ["FILTERS", "change_words", "said_words"]

MACHINE = "as Gridroll says"


def said_words(said: Said, time_zone: str) -> str:
    """What an edit says, e.g. `Late, joined 09:05:00`; times are the zone's."""
    parts = [
        *([] if said.status is None else [status(said.status)]),
        *([] if said.joined_at is None else [f"joined {clock(said.joined_at, time_zone)}"]),
        *([] if said.last_seen_at is None else [f"last seen {clock(said.last_seen_at, time_zone)}"]),
        *([] if said.minutes is None else [f"{minutes(said.minutes)} minutes"]),
        *([f"remark “{said.remark}”"] if said.remark else []),
    ]
    return ", ".join(parts) if parts else "Handed back to Gridroll"


def change_words(edit: EditLine, before: Said, time_zone: str) -> list[str]:
    """What an edit changed, field by field, e.g. `Status: Absent, before as Gridroll says`."""
    after = edit.said

    def moment(value: datetime | None) -> str:
        return MACHINE if value is None else clock(value, time_zone)

    def number(value: float | None) -> str:
        return MACHINE if value is None else minutes(value)

    fields = (
        ("Status", *(MACHINE if one.status is None else status(one.status) for one in (before, after))),
        ("Joined", moment(before.joined_at), moment(after.joined_at)),
        ("Last seen", moment(before.last_seen_at), moment(after.last_seen_at)),
        ("Minutes", number(before.minutes), number(after.minutes)),
        ("Remark", before.remark or "none", after.remark or "none"),
    )
    return [f"{name}: {new}, before {old}" for name, old, new in fields if old != new]


FILTERS = {"change_words": change_words, "said_words": said_words}
