"""Which looks of a session balance, and what explains those that do not, in plain words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from db.report import LookLine, SessionReport

__all__ = ["FILTERS", "Run", "cause_words", "runs"]

CAUSES = {
    "unknown_face": ("a face that matches nobody on the roster", "faces that match nobody on the roster"),
    "doubtful": ("a face not alike enough to be named", "faces not alike enough to be named"),
    "two_tiles": ("a second tile of a student", "second tiles of students"),
    "asking": ("a face still being asked about", "faces still being asked about"),
    "not_asked": ("a face nobody was asked about", "faces nobody was asked about"),
    "no_face": ("a head whose face was not found again", "heads whose faces were not found again"),
    "settled": ("settled by staff", "settled by staff"),
}
"""Cause → (of one head, of several), in the order in which staff can do something about them."""


@dataclass(frozen=True, slots=True)
class Run:
    """Looks in a row that do not balance for the same causes. `headcounts`: the smallest and the largest."""

    first_at: datetime
    last_at: datetime
    looks: int
    headcounts: tuple[int, int]
    unexplained: int
    causes: Mapping[str, int]


def runs(report: SessionReport) -> list[Run]:
    """The looks that do not balance, those in a row with the same causes together."""
    found = []
    for (balances, _), group in groupby(report.looks, key=_alike):
        looks = list(group)
        if not balances:
            heads = [look.headcount for look in looks]
            found.append(
                Run(
                    looks[0].taken_at,
                    looks[-1].taken_at,
                    len(looks),
                    (min(heads), max(heads)),
                    looks[0].unknown - looks[0].reviewed,
                    looks[0].causes,
                )
            )
    return found


def _alike(look: LookLine) -> tuple[bool, tuple[tuple[str, int], ...]]:
    causes = sorted(look.causes.items()) or [("", look.unknown - look.reviewed)]
    return look.is_verified, () if look.is_verified else tuple(causes)


def cause_words(causes: Mapping[str, int]) -> str:
    """What explains the heads without a name, e.g. `2 faces that match nobody on the roster; 1 settled by staff`."""
    known = [word for word in CAUSES if causes.get(word)]
    words = [f"{causes[word]} {CAUSES[word][causes[word] != 1].removeprefix('a ')}" for word in known]
    words += [f"{count} {word.replace('_', ' ')}" for word, count in causes.items() if word not in CAUSES]
    return "; ".join(words)


FILTERS = {"cause_words": cause_words}
