"""What earlier looks at a tracked face said: the template of an engine that shows no embeddings."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from recognizer.errors import EngineError

__all__ = ["Evidence"]

KEPT = 20
"""Resemblances kept; the running mean of the twenty-first best of a class names nobody."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Running means of similarity over `looks` looks, in percent, by face or user.

    Who does not appear among a look's answers counts as 0 in it: the service's similarity is near 100 for the right
    person and falls off steeply, so one bad look weighs heavily, which leaves a doubt rather than a wrong name.
    """

    looks: int = 0
    means: Mapping[str, float] = field(default_factory=dict)

    def with_look(self, similarities: Mapping[str, float]) -> "Evidence":
        """The evidence after one more look."""
        looks = self.looks + 1
        means = {
            key: (self.means.get(key, 0.0) * self.looks + similarities.get(key, 0.0)) / looks
            for key in {**self.means, **similarities}
        }
        best = sorted(means, key=lambda key: (-means[key], key))[:KEPT]
        return Evidence(looks, {key: means[key] for key in best})

    def to_bytes(self) -> bytes:
        means = {key: round(mean, 3) for key, mean in self.means.items()}
        return json.dumps({"looks": self.looks, "means": means}, separators=(",", ":")).encode()

    @staticmethod
    def from_bytes(template: bytes | None) -> "Evidence":
        """Read a template; None: no look yet. Raises EngineError for one that another engine made."""
        if template is None:
            return Evidence()
        try:
            held = json.loads(template)
            looks, means = int(held["looks"]), {str(key): float(mean) for key, mean in held["means"].items()}
            if looks < 1 or len(means) > KEPT:
                raise ValueError(f"{looks} looks, {len(means)} resemblances")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EngineError(
                f"a template of {len(template)} bytes is not this engine's; start the session's watch again"
            ) from error
        return Evidence(looks, means)
