"""SVG elements as text. Colours are presentation attributes, for the page's policy allows no style attributes."""

import re
from functools import cache, lru_cache
from html import escape

from portal.palette import Palette

__all__ = ["Value", "element", "paint", "text", "title"]

Value = str | float | None

NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def element(name: str, *children: str, **attributes: Value) -> str:
    """An element. `children` are elements; an attribute `stroke_width` is written `stroke-width`, None left out."""
    written = "".join(
        [f'{_name(key)}"{_value(value)}"' for key, value in attributes.items() if value is not None]
    )
    inner = "".join(children)
    return f"<{name}{written}>{inner}</{name}>" if inner else f"<{name}{written}/>"


def text(content: str, x: float, y: float, **attributes: Value) -> str:
    """A line of text with its baseline at y."""
    return element("text", _escaped(content), x=x, y=y, **attributes)


def title(content: str) -> str:
    """What a browser shows when the pointer rests on the element around it."""
    return f"<title>{_escaped(content)}</title>"


def paint(palette: Palette, fill: str | None = None, stroke: str | None = None) -> dict[str, Value]:
    """Attributes that paint with colours of the palette, by name.

    The class says which they are, so that a page's stylesheet can put its own (dark) colours in their place.
    """
    return _painted(palette, fill, stroke)


@cache
def _painted(palette: Palette, fill: str | None, stroke: str | None) -> dict[str, Value]:
    names = [f"fill-{fill}" if fill else "", f"stroke-{stroke}" if stroke else ""]
    return {
        "fill": palette.colour(fill) if fill else "none",
        "stroke": palette.colour(stroke) if stroke else None,
        "class_": " ".join(filter(None, names)).replace("_", "-"),
    }


@cache
def _name(key: str) -> str:
    return f" {key.rstrip('_').replace('_', '-')}="


def _value(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").removesuffix(".")
    return _word(value) if isinstance(value, str) else str(value)


# Colours and classes: a picture of a class of 300 has ten thousand of them, and a few dozen that differ.
@lru_cache(1024)
def _word(value: str) -> str:
    return _escaped(value)


def _escaped(content: str) -> str:
    return escape(NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", content))
