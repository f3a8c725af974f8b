"""The form by which staff write over several entries at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import uuid4

from werkzeug.datastructures import MultiDict

from db.bulk_edits import Change, Outcome
from db.edits import EditError

__all__ = ["BulkForm"]


@dataclass(frozen=True, slots=True)
class BulkForm:
    """`versions`: of the ticked entries as they were seen, by student number. `uid`: the same however often it is sent."""

    status: str = ""
    remark: str = ""
    reason: str = ""
    uid: str = ""
    versions: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def blank(cls) -> "BulkForm":
        return cls(uid=str(uuid4()))

    @classmethod
    def sent(cls, values: MultiDict[str, str]) -> "BulkForm":
        """Raises EditError for rows that say no version."""
        form = cls.kept(values)
        if len(form.versions) < len(set(values.getlist("row"))):
            raise EditError("the form did not arrive whole; look at the rows, then send it again")
        return replace(form, uid=values.get("uid", "") or form.uid)

    @classmethod
    def kept(cls, values: MultiDict[str, str]) -> "BulkForm":
        """What was sent as far as it can be read, to be sent again."""
        versions = {}
        for row in values.getlist("row"):
            number, _, version = row.rpartition(":")
            if number and version.isascii() and version.isdecimal() and len(version) < 10:
                versions[number] = int(version)
        texts = {name: " ".join(values.get(name, "").split()) for name in ("status", "remark")}
        reason = values.get("reason", "").replace("\r\n", "\n").strip()
        return cls(**texts, reason=reason, uid=str(uuid4()), versions=versions)

    @property
    def change(self) -> Change:
        return Change(self.status, self.remark)

    def left_of(self, outcome: Outcome) -> "BulkForm":
        """The form again for what was not saved."""
        left = {row.student_no: row.version for row in outcome.rows if row.result in {"conflict", "refused"}}
        return replace(self, versions=left, uid=str(uuid4()))
