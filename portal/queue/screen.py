"""The queue's page: the list, the review in focus with all that is known of it, and what the last answer came to."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from flask import abort, redirect, render_template, url_for
from sqlalchemy.orm import Session

from db.case import Crop, case_of
from db.classmates import classmates
from db.queue import PAGE, Queue, QueueLine, find_lines, meetings_in_doubt, open_counts, queue_of
from portal.desk import desk
from portal.queue.answers import offers, suspects_one
from portal.queue.grid import draw_grid
from portal.queue.place import Place
from portal.review_words import takes_a_face
from portal.reviews import Draft
from portal.sign_in import viewer

__all__ = ["Told", "show"]

MOST_OPTIONS = 500
"""Students from which a list to choose from becomes a box to write a number into, where there is no script."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the page says about what was sent, and what had been typed.

    `bulk`: several were sent at once. `left`: those of them that were not confirmed; `withdrawn`: how many were gone.
    """

    draft: Draft = field(default_factory=Draft)
    refused: str = ""
    conflict: bool = False
    gone: bool = False
    bulk: bool = False
    left: tuple[QueueLine, ...] = ()
    withdrawn: int = 0
    ticked: frozenset[str] = frozenset()
    reason: str = ""


NOTHING = Told()


def show(
    place: Place,
    focus_id: int | None = None,
    settled_id: int | None = None,
    told: Told = NOTHING,
    next_id: int | None = None,
) -> str:
    """`focus_id`: which review is in focus, the first one where it is not there. `settled_id`: the one before it.

    `next_id`: stands for `focus_id` as long as it is open; somebody else may have settled it meanwhile.
    """
    user = viewer()
    assert user is not None
    with desk().database.reading() as reading:
        counts = open_counts(reading, user.courses)
        queue = queue_of(reading, user.courses, place.wanted)
        if not queue.lines and place.page > 1 and told is NOTHING:
            abort(
                redirect(
                    url_for(
                        "queue.page",
                        **place.query(page=None, review=focus_id, next=next_id, settled=settled_id),
                    )
                )
            )
        focus, settled = _found(reading, queue, focus_id, next_id, settled_id)
        case = case_of(reading, focus) if focus is not None else None
        people = (
            classmates(reading, focus.session_id) if focus is not None and takes_a_face(focus.review) else []
        )
        meetings = (
            meetings_in_doubt(reading, user.courses, place.course)
            if place.course and place.session is None
            else []
        )
    before, following = _neighbours(queue.lines, focus)
    return render_template(
        "queue/page.html",
        place=place,
        hidden=place.query(),
        toward=_toward(place),
        queue=queue,
        pages=place.pages(queue.total),
        first=PAGE * (place.page - 1) + 1,
        counts=counts,
        courses=_summed(
            {place.course: 0} if place.course else {}, ((one.course, one.count) for one in counts)
        ),
        kinds=_summed({place.kind: 0} if place.kind else {}, ((one.kind, one.count) for one in counts)),
        meetings=meetings,
        line=focus,
        settled=settled,
        case=case,
        crops=_chosen(case.crops, focus.track) if case is not None and focus is not None else [],
        offers=offers(focus.review) if focus is not None else [],
        grid=draw_grid(case.scene, [focus.track, focus.beside or ""])
        if case and case.scene and focus
        else "",
        people=people if len(people) <= MOST_OPTIONS else [],
        before=before,
        following=following,
        told=told,
        tickable={line.review.id for line in queue.lines if suspects_one(line.review)},
    )


def _found(
    reading: Session, queue: Queue, focus_id: int | None, next_id: int | None, settled_id: int | None
) -> tuple[QueueLine | None, QueueLine | None]:
    """The review in focus, the first one unless another is wanted; and the one that was just settled."""
    user = viewer()
    assert user is not None
    lines = {line.review.id: line for line in queue.lines}
    asked = [one for one in (focus_id, next_id, settled_id) if one is not None and one not in lines]
    more = find_lines(reading, asked, user.courses)
    there = lines | more
    focus, following = there.get(focus_id or 0), there.get(next_id or 0)
    if focus is None and following is not None and not following.review.is_settled:
        focus = following
    settled = more.get(settled_id or 0)
    if focus is None and queue.lines:
        focus = queue.lines[0]
    return focus, settled if settled is not None and settled.review.is_settled else None


def _neighbours(
    lines: Sequence[QueueLine], focus: QueueLine | None
) -> tuple[QueueLine | None, QueueLine | None]:
    """Who stands before and after the one in focus; after one that is not on the page comes the first."""
    at = next((at for at, one in enumerate(lines) if focus and one.review.id == focus.review.id), None)
    if at is None:
        return None, lines[0] if lines else None
    return lines[at - 1] if at else None, lines[at + 1] if at + 1 < len(lines) else None


def _toward(place: Place) -> Callable[[int], str]:
    """Addresses of reviews at this place, of which a page has many."""
    here = url_for("queue.page", **place.query())
    return lambda review_id: f"{here}{'&' if '?' in here else '?'}review={review_id}"


def _chosen(crops: Sequence[Crop], track: str) -> list[Crop]:
    """Of that track and then of the other the first one, the last and one between: what differs most among them."""
    chosen = []
    for one in dict.fromkeys((track, *(crop.track for crop in crops))):
        own = [crop for crop in crops if crop.track == one]
        chosen += [own[at] for at in sorted({0, len(own) // 2, len(own) - 1}) if own]
    return chosen


def _summed(known: dict[str, int], counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    for name, count in counts:
        known[name] = known.get(name, 0) + count
    return dict(sorted(known.items()))
