"""When to look: at moments participants cannot foresee, or at fixed ones."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from screen_agent.errors import AgentError

__all__ = ["FixedSchedule", "RandomSchedule", "parse_every"]


@dataclass(frozen=True, slots=True)
class RandomSchedule:
    """Looks `shortest_s` to `longest_s` seconds apart, drawn evenly. The same `seed` gives the same moments.

    A `seed` of None draws from the operating system.
    """

    shortest_s: float
    longest_s: float
    seed: int | None = None

    def moments(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Moments from `start` to `end`, the first within one longest gap; the last is `end` itself.

        A look at the very end tells who stayed.
        """
        random = Random(self.seed)
        moment = start + timedelta(seconds=random.uniform(0, self.shortest_s))
        while moment < end:
            yield moment
            moment += timedelta(seconds=random.uniform(self.shortest_s, self.longest_s))
        yield end


@dataclass(frozen=True, slots=True)
class FixedSchedule:
    """Looks at the moments given, or every `period` from the start on."""

    period: timedelta | None = None
    at: tuple[datetime, ...] = ()

    def moments(self, start: datetime, end: datetime) -> Iterator[datetime]:
        if self.period is None:
            yield from (moment for moment in self.at if start <= moment <= end)
            return
        moment = start
        while moment <= end:
            yield moment
            moment += self.period


def parse_every(text: str) -> tuple[float, float]:
    """`20-60` or `30`: shortest and longest gap in seconds. Raises AgentError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?s?", text.strip())
    if match is None:
        raise AgentError(f"--every {text!r} is no gap; write seconds such as 20-60")
    shortest, longest = float(match[1]), float(match[2] or match[1])
    if not 1 <= shortest <= longest <= 86_400:
        raise AgentError(
            f"--every {text!r}: the gap must be at least 1 second and the first number the smaller"
        )
    return shortest, longest
