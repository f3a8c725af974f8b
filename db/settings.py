"""One settings object, read once at the entry point: `gridroll.toml`, then `GRIDROLL_*` variables."""

import os
import re
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from db.errors import ConfigError

__all__ = ["Settings", "load_settings"]


def default_home() -> Path:
    return Path(os.environ.get("GRIDROLL_HOME") or "~/.gridroll").expanduser()


class Settings(BaseSettings):
    """Everything that can be configured. Read-only once made."""

    model_config = SettingsConfigDict(env_prefix="GRIDROLL_", frozen=True, extra="forbid")

    home: Path = Field(description="Folder of all state: database, cache, vectors, secrets.")
    database_url: str = Field(
        default="",
        description="SQLAlchemy address of the ledger. Empty: the SQLite file `gridroll.sqlite` in `home`.",
    )
    cache_url: str = Field(
        default="",
        description="`mongodb://` address of the face-metadata cache. Empty: a server started by Gridroll itself.",
    )
    match_threshold_pct: float = Field(
        default=90.0, gt=0, le=100, description="Similarity from which a face may be given a name."
    )
    weak_threshold_pct: float = Field(
        default=80.0,
        gt=0,
        le=100,
        description="Similarity from which an unnamed face is a doubt about one student.",
    )
    match_margin_pct: float = Field(
        default=5.0, ge=0, le=100, description="Least lead in similarity over the runner-up of the roster."
    )
    sure_threshold_pct: float = Field(
        default=95.0,
        gt=0,
        le=100,
        description="Similarity from which one look is enough; below, two looks must agree.",
    )
    max_looks_per_face: int = Field(
        default=4,
        ge=1,
        le=50,
        description="Looks after which an unnamed face is left to staff instead of asked about again.",
    )
    portal_host: str = Field(default="127.0.0.1", description="Address the portal listens on.")
    portal_port: int = Field(
        default=8080, ge=0, le=65535, description="Port the portal listens on; 0 takes a free one."
    )
    portal_https: bool = Field(
        default=False,
        description="True when the portal is reached through HTTPS: cookies are then sent over nothing else.",
    )
    max_photo_bytes: int = Field(
        default=10_000_000, gt=0, description="Largest photograph file that is opened, in bytes."
    )
    max_photo_pixels: int = Field(
        default=40_000_000, gt=0, description="Largest photograph that is decoded, in pixels."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        home = init_settings().get("home") or default_home()
        toml = TomlConfigSettingsSource(settings_cls, Path(home) / "gridroll.toml")
        return init_settings, env_settings, toml

    @property
    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.home / 'gridroll.sqlite'}"


def load_settings(home: Path | None = None, **overrides: Any) -> Settings:
    """Read the configuration.

    `home`: None takes `GRIDROLL_HOME`, else `~/.gridroll`. The folder need not exist yet. `overrides` outrank both the
    file and the environment.

    Raises ConfigError for an unreadable file, an unknown key in it or a value out of range.
    """
    folder = (home or default_home()).absolute()
    try:
        return Settings(home=folder, **overrides)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "?"
        raise ConfigError(
            f"setting {key!r} cannot be {first.get('input')!r}: {first['msg']}; "
            f"correct it in {folder / 'gridroll.toml'} or GRIDROLL_{key.upper()}"
        ) from error
    except (ValueError, OSError) as error:
        detail = re.sub(r"\s+", " ", str(error))
        raise ConfigError(
            f"cannot read {folder / 'gridroll.toml'}: {detail}; correct or remove the file"
        ) from error
