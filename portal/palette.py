"""The colours of pictures, on light and on dark paper. The portal's stylesheet knows them by the same names."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["DARK", "LIGHT", "Palette"]


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """`colours`: name → `#rrggbb`. Statuses have the names that the ledger gives them."""

    colours: Mapping[str, str]

    def colour(self, name: str) -> str:
        """The colour of that name; that of `unverified` for a status it does not know."""
        return self.colours.get(name, self.colours["unverified"])


LIGHT = Palette(
    {
        "paper": "#ffffff",
        "band": "#f0f3f8",
        "grid": "#dce2ea",
        "ink": "#1b2433",
        "soft": "#5a6678",
        "accent": "#3a55c9",
        "present": "#14967f",
        "late": "#d98b06",
        "left_early": "#8460d8",
        "absent": "#d1435b",
        "excused": "#2b83c9",
        "unverified": "#7b889b",
        "unknown": "#efb03f",
    }
)

DARK = Palette(
    {
        "paper": "#141b28",
        "band": "#1b2537",
        "grid": "#2c3850",
        "ink": "#e7ecf4",
        "soft": "#9ba8bc",
        "accent": "#92a8ff",
        "present": "#35bfa4",
        "late": "#efae3c",
        "left_early": "#a98cf5",
        "absent": "#f0738a",
        "excused": "#62b0f2",
        "unverified": "#93a1b6",
        "unknown": "#c98a1d",
    }
)
