"""All that `gridroll audit verify` checks, for whoever wants to show how far it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from db.proof.anchor import Anchor
from db.proof.chain import FIRST, walk
from db.proof.records import check_entries, check_records, check_told
from db.proof.reviews import check_reviews

__all__ = ["Verified", "verify_all"]


@dataclass(frozen=True, slots=True)
class Verified:
    """`rows` of the chain and `records` are as they were written; `head`: the hash of the last row."""

    rows: int
    records: int
    head: str


def verify_all(
    session: Session, anchors: Sequence[Anchor] = (), progress: Callable[[int], None] | None = None
) -> Verified:
    """Check every row of the chain, every record that it tells of, and that it contains the anchors.

    `progress` is called now and then with the number of rows walked; what it raises ends the check. Raises TamperedError
    for the first that is not as it was written.
    """
    rows, head = 0, FIRST

    def tell() -> None:
        if progress is not None:
            progress(rows)

    for links in walk(session, anchors):
        check_told(session, links)
        rows, head = links[-1].seq, links[-1].hash
        tell()
    records = check_records(session, tell)
    check_entries(session, tell)
    check_reviews(session)
    return Verified(rows, records, head)
