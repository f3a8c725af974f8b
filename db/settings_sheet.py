"""The settings for people: value, meaning, and where each comes from. Secrets are only said to be set."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from db.proof.settings_trail import shown_value
from db.settings import Settings

__all__ = ["SettingLine", "setting_lines"]


@dataclass(frozen=True, slots=True)
class SettingLine:
    """`value`, `default`: as they may be shown; None: left out. `origin`: `environment`, `file`, `default` or `program`.

    `variable`: by which the environment sets it.
    """

    name: str
    value: Any
    default: Any
    meaning: str
    origin: str
    variable: str


def setting_lines(settings: Settings) -> list[SettingLine]:
    """In the order in which they are documented."""
    values, in_file = settings.model_dump(mode="json"), _in_file(settings)
    prefix = str(Settings.model_config.get("env_prefix", ""))
    # Names of variables are read without regard to case.
    variables = {name.upper() for name in os.environ}
    lines = []
    for name, field in Settings.model_fields.items():
        variable = f"{prefix}{name}".upper()
        default = None if field.is_required() else field.get_default()
        lines.append(
            SettingLine(
                name,
                shown_value(name, values[name]),
                shown_value(name, default if isinstance(default, bool | int | float | str) else None),
                field.description or "",
                _origin(name, settings, variable in variables, in_file),
                variable,
            )
        )
    return lines


def _origin(name: str, settings: Settings, in_environment: bool, in_file: Mapping[str, Any]) -> str:
    if in_environment:
        return "environment"
    if name in in_file:
        return "file"
    # The home is found before the settings are read: where it is left out, it is the usual one.
    return "program" if name in settings.model_fields_set and name != "home" else "default"


def _in_file(settings: Settings) -> Mapping[str, Any]:
    try:
        return tomllib.loads((settings.home / "gridroll.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # read when the portal started; since then it may have gone
        return {}
