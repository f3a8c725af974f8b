"""The grid as a look saw it, drawn: a box for each head and who it is. No screenshot is ever kept to show instead."""

from collections.abc import Sequence

from db.look_sheet import Head
from portal.palette import LIGHT
from portal.svg import Value, element, paint, text, title

__all__ = ["STATES", "draw_grid"]

STATES: dict[str, tuple[str, str]] = {
    "named": ("Named", "present"),
    "second": ("A second tile of a student", "late"),
    "settled": ("Settled by staff", "excused"),
    "doubtful": ("Not sure enough", "unknown"),
    "unknown": ("Matches nobody on the roster", "absent"),
    "asking": ("Still being asked about", "unverified"),
    "not_asked": ("Nobody was asked", "unverified"),
}
"""State of a head → (in words, colour)."""

LETTER = 0.56
"""Width of an average letter, of its height."""


def draw_grid(heads: Sequence[Head]) -> str:
    """An SVG in the pixels of the frame around the boxes; empty where there is no head. Every text in it is escaped.

    `heads`: in reading order.
    """
    if not heads:
        return ""
    boxes = [head.box_xyxy for head in heads]
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    tall = max(sorted(y2 - y1 for _, y1, _, y2 in boxes)[len(boxes) // 2], 1)
    # Names stand below the boxes and may be broader than they are.
    pad, size = tall * 0.6, tall * 0.26
    width, height = right - left + 2 * pad, bottom - top + pad + size * 2.2
    return element(
        "svg",
        *(
            _head(head, _room(box, boxes[max(place - 1, 0) : place + 2]), size)
            for place, (head, box) in enumerate(zip(heads, boxes, strict=True))
        ),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"{left - pad:.0f} {top - pad / 2:.0f} {width:.0f} {height:.0f}",
        class_="grid-drawing",
        role="img",
        aria_label=f"{len(heads)} heads where the look saw them; the table below says who they are",
    )


def _head(head: Head, room: float, size: float) -> str:
    x1, y1, x2, y2 = head.box_xyxy
    words, colour = STATES.get(head.state, (head.state, "unverified"))
    who = head.person.name if head.person is not None and head.state in {"named", "second"} else head.guest
    middle: dict[str, Value] = {"text_anchor": "middle", "font_size": size}
    return element(
        "g",
        title(f"{head.number}. {who or words}"),
        element(
            "rect",
            x=x1,
            y=y1,
            width=max(x2 - x1, 1),
            height=max(y2 - y1, 1),
            rx=size * 0.4,
            stroke_width=size * 0.14,
            **paint(LIGHT, fill="band", stroke=colour),
        ),
        text(str(head.number), (x1 + x2) / 2, (y1 + y2) / 2 + size * 0.36, font_weight=650, **middle, **paint(LIGHT, fill="ink")),
        text(_short(who or "?", room / (size * LETTER)), (x1 + x2) / 2, y2 + size * 1.15, **middle, **paint(LIGHT, fill="ink")),
    )  # fmt: skip


def _room(box: tuple[int, int, int, int], around: Sequence[tuple[int, int, int, int]]) -> float:
    """How broad a name below a box may be without touching those of its neighbours in the same row.

    `around`: the boxes before and after it, and itself.
    """
    x1, y1, x2, y2 = box
    middle = (x1 + x2) / 2
    beside = [
        abs((one[0] + one[2]) / 2 - middle)
        for one in around
        if one != box and abs((one[1] + one[3]) / 2 - (y1 + y2) / 2) < (y2 - y1)
    ]
    return max(min(beside, default=2.2 * (x2 - x1)) * 0.95, x2 - x1)


def _short(name: str, letters: float) -> str:
    if len(name) <= letters:
        return name
    first = name.split()[0]
    return first if len(first) <= letters else f"{first[: max(int(letters) - 1, 1)]}…"
