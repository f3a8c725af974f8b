"""Where in the meeting's grid a tile was, as a small picture."""

from collections.abc import Collection

from markupsafe import Markup

from db.case import Scene
from portal.palette import LIGHT
from portal.svg import element, paint

__all__ = ["draw_grid"]

WIDTH = 160.0
ROOM = 0.6
"""A face takes about so much of its tile: around each box half of that is left, so that the edge is not cut."""


def draw_grid(scene: Scene, tracks: Collection[str]) -> Markup:
    """The heads of a look, those of `tracks` marked; empty where they are not among them."""
    marked = [track for track in tracks if track in scene.boxes]
    if not marked:
        return Markup()
    boxes = scene.boxes.values()
    pad = max(max(x2 - x1, y2 - y1) for x1, y1, x2, y2 in boxes) * ROOM
    left, top = min(box[0] for box in boxes) - pad, min(box[1] for box in boxes) - pad
    right, bottom = max(box[2] for box in boxes) + pad, max(box[3] for box in boxes) + pad
    scale = WIDTH / max(1.0, right - left)
    height = max(24.0, min(WIDTH, (bottom - top) * scale))
    heads = [
        element(
            "rect",
            x=(x1 - left) * scale,
            y=(y1 - top) * scale,
            width=max(3.0, (x2 - x1) * scale),
            height=max(3.0, (y2 - y1) * scale),
            rx=2,
            **paint(LIGHT, fill="accent" if track in marked else "grid"),
        )
        for track, (x1, y1, x2, y2) in sorted(scene.boxes.items(), key=lambda item: item[0] in marked)
    ]
    label = (
        f"Where the tile{'s were' if len(marked) > 1 else ' was'} among the {len(heads)} faces of that look"
    )
    return Markup(
        element(
            "svg",
            *heads,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {WIDTH:.0f} {height:.0f}",
            width=WIDTH,
            height=round(height),
            class_="grid-map",
            role="img",
            aria_label=label,
        )
    )
