"""What earlier looks at a tracked face said: the template of an engine that shows no embeddings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, log, sqrt

from recognizer.errors import EngineError

__all__ = ["Evidence"]

KEPT = 20
"""Resemblances kept; the twenty-first best of a class names nobody."""
LEAST_PCT, MOST_PCT = 1.0, 99.9
"""Between these a similarity counts: no single look says more for or against somebody."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Sums over `looks` looks of the logarithmic odds of similarity, by face or user.

    Odds, because the service's similarity is near 100 for the right person and falls off steeply: two looks of 96 % tell
    more than one, and one at which somebody does not appear takes most of it back. Measured with the test server on two
    looks (three) at somebody of a class of 28: 11 % (5) of the right people stayed below 97 %, with mean similarities 41 %
    (44), with one look 33 %; nobody wrong passed. The odds of independent witnesses add up; looks at one person are none, so
    the sum is divided by the root of their number, half-way to the mean.
    """

    looks: int = 0
    sums: Mapping[str, float] = field(default_factory=dict)

    def with_look(self, similarities: Mapping[str, float]) -> "Evidence":
        """The evidence after one more look. `similarities`: in percent; who is missing counts as not alike."""
        nothing = _logit(0.0)
        sums = {
            key: self.sums.get(key, self.looks * nothing) + _logit(similarities.get(key, 0.0))
            for key in {**self.sums, **similarities}
        }
        best = sorted(sums, key=lambda key: (-sums[key], key))[:KEPT]
        return Evidence(self.looks + 1, {key: sums[key] for key in best})

    @property
    def similarities(self) -> dict[str, float]:
        """What all looks together say, in percent; after one look, what it said."""
        return {key: 100 / (1 + exp(-total / sqrt(self.looks))) for key, total in self.sums.items()}

    def to_bytes(self) -> bytes:
        sums = {key: round(total, 4) for key, total in self.sums.items()}
        return json.dumps({"looks": self.looks, "sums": sums}, separators=(",", ":")).encode()

    @staticmethod
    def from_bytes(template: bytes | None) -> "Evidence":
        """Read a template; None: no look yet. Raises EngineError for one that another engine made."""
        if template is None:
            return Evidence()
        try:
            held = json.loads(template)
            looks, sums = int(held["looks"]), {str(key): float(total) for key, total in held["sums"].items()}
            if looks < 1 or len(sums) > KEPT:
                raise ValueError(f"{looks} looks, {len(sums)} resemblances")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EngineError(
                f"a template of {len(template)} bytes is not this engine's; start the session's watch again"
            ) from error
        return Evidence(looks, sums)


def _logit(percent: float) -> float:
    share = min(max(percent, LEAST_PCT), MOST_PCT) / 100
    return log(share / (1 - share))
