"""One settings object, read once at the entry point: `gridroll.toml`, then `GRIDROLL_*` variables."""

import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from db.errors import ConfigError
from db.restore_mark import refuse_half_restored

__all__ = ["Settings", "load_settings", "read_settings"]


def default_home() -> Path:
    return Path(os.environ.get("GRIDROLL_HOME") or "~/.gridroll").expanduser()


def _one_text(value: object) -> object:
    """A list of keys as one text: what is refused is shown to people, and keys must never be."""
    return " ".join(map(str, value)) if isinstance(value, list) else value


CONSENT_TEXT = """\
I agree that numbers are computed from my enrolment photographs and compared with faces that are seen in my online classes, \
so that my attendance is recorded. Small pictures of my face from a class are kept for some days, encrypted, so that staff \
can look when an entry is in doubt; pictures of the whole class are not kept.

This is voluntary. Without it nobody recognises me, no class counts as missed for that reason, and staff record my \
attendance another way. I can withdraw at any time: numbers, photographs and pictures are then removed, and my attendance \
so far stays as it is."""


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
        description="`mongodb://` or `mongodb+srv://` address of the face-metadata cache, with the user, the password and "
        "the TLS options that it asks for. Empty: a server started by Gridroll itself.",
    )
    engine: Literal["local", "rekognition", "tiered"] = Field(
        default="local",
        description="Who compares faces: this machine, Amazon Rekognition, or this machine first and Rekognition for "
        "what stays doubtful.",
    )
    rekognition_collection: str = Field(
        default="gridroll",
        pattern=r"^[a-zA-Z0-9_.\-]{1,255}$",
        description="Collection that holds the faces; `gridroll init` makes it.",
    )
    rekognition_region: str = Field(
        default="", description="AWS region, as `eu-west-1`. Empty: the AWS configuration's."
    )
    rekognition_endpoint_url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="Address of a service that speaks Rekognition's protocol. Empty: AWS.",
    )
    rekognition_search: Literal["faces", "users"] = Field(
        default="faces",
        description="What is searched: each photograph by itself, or each student's photographs together, for classes "
        "where students have several; every photograph then costs one billed call more.",
    )
    rekognition_rate_per_s: float = Field(
        default=5.0, gt=0, le=1000, description="Calls a second, at most; AWS's quota depends on the region."
    )
    rekognition_timeout_s: float = Field(
        default=15.0, gt=0, le=300, description="Seconds to wait for an answer, at each attempt."
    )
    rekognition_max_attempts: int = Field(
        default=5,
        ge=1,
        le=20,
        description="How often a call is sent that AWS throttles or fails, or whose connection breaks.",
    )
    rekognition_price_per_1000: float = Field(
        default=1.0, ge=0, description="What AWS bills for 1,000 pictures, in the currency of its bill."
    )
    rekognition_match_threshold_pct: float = Field(
        default=97.0, gt=0, le=100, description="`match_threshold_pct` for Rekognition's similarities."
    )
    rekognition_sure_threshold_pct: float = Field(
        default=99.0, gt=0, le=100, description="`sure_threshold_pct` for Rekognition's similarities."
    )
    rekognition_weak_threshold_pct: float = Field(
        default=85.0, gt=0, le=100, description="`weak_threshold_pct` for Rekognition's similarities."
    )
    match_threshold_pct: float = Field(
        default=91.0, gt=0, le=100, description="Similarity from which a face may be given a name."
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
        description="Similarity from which one look is enough; below, it takes a second.",
    )
    max_looks_per_face: int = Field(
        default=4,
        ge=1,
        le=50,
        description="Looks after which an unnamed face is left to staff instead of asked about again.",
    )
    currency: str = Field(
        default="USD",
        pattern="^[A-Z]{3}$",
        description="Of all prices and budgets, as its three ISO 4217 letters.",
    )
    budget_per_session: Decimal | None = Field(
        default=None,
        ge=0,
        le=1_000_000_000,
        decimal_places=6,
        description="What the searches of one session may cost; left out: any amount; 0: nothing is paid for.",
    )
    budget_per_month: Decimal | None = Field(
        default=None,
        ge=0,
        le=1_000_000_000,
        decimal_places=6,
        description="What a calendar month (UTC) may cost before no search is paid for any more; enrolling counts.",
    )
    tiered_after_looks: int = Field(
        default=3,
        ge=1,
        le=50,
        description="Looks that the local engine has for a face before the provider is asked about it.",
    )
    tiered_paid_per_face: int = Field(
        default=2, ge=1, le=50, description="Most paid searches for one appearance of a face."
    )
    tiered_plausible_pct: float = Field(
        default=50.0,
        ge=0,
        le=100,
        description="Local similarity to somebody of the roster from which a doubt is worth paying for.",
    )
    judgement_days: int = Field(
        default=180,
        ge=0,
        le=3650,
        description="Days for which a face that staff judged (a guest, or not this student) is known again.",
    )
    evidence_url: str = Field(
        default="",
        description="Where crops are kept: a folder, or `s3://bucket/prefix`. Empty: `evidence` in `home`.",
    )
    evidence_endpoint_url: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="Address of a service that speaks S3's protocol. Empty: AWS.",
    )
    evidence_region: str = Field(
        default="", description="AWS region of the bucket, as `eu-west-1`. Empty: the AWS configuration's."
    )
    evidence_keys: Annotated[SecretStr, BeforeValidator(_one_text)] = Field(
        default=SecretStr(""),
        description="Keys that crops are encrypted with, the newest first: `gridroll evidence key` makes one. Empty: "
        "those of `evidence_key_file`.",
    )
    evidence_key_file: Path | None = Field(
        default=None,
        description="File of these keys, a line each, the newest first. Left out: `evidence.keys` in `home`, made at "
        "the first use.",
    )
    consent_text: str = Field(
        default=CONSENT_TEXT,
        max_length=20_000,
        description="What students agree to when they consent to being recognised, shown to them and kept with each consent.",
    )
    evidence_days: int = Field(
        default=30,
        ge=0,
        le=3650,
        description="Days for which the crops behind a conclusion are kept; 0: none is.",
    )
    head_detector: Literal["haar", "hog"] = Field(
        default="haar",
        description="What finds heads: OpenCV's Haar cascades, or dlib's histogram of gradients, several times slower.",
    )
    portal_host: str = Field(default="127.0.0.1", description="Address the portal listens on.")
    portal_port: int = Field(
        default=8080, ge=0, le=65535, description="Port the portal listens on; 0 takes a free one."
    )
    portal_https: bool = Field(
        default=False,
        description="True when the portal is reached through HTTPS: cookies are then sent over nothing else.",
    )
    portal_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s/?#@]+(/[^\s?#]*)?)?$",
        description="Where people reach the portal, as `https://roll.example.org`, for links in mail. Empty: made of "
        "`portal_host` and `portal_port`.",
    )
    portal_proxies: int = Field(
        default=0,
        ge=0,
        le=10,
        description="Proxies before the portal that each add to `X-Forwarded-For` and set `X-Forwarded-Proto`. 0: what "
        "these headers say is not believed.",
    )
    portal_workers: int = Field(
        default=2,
        ge=0,
        le=32,
        description="Processes beside the portal's own that make the pages which take long. 0: it makes them itself.",
    )
    portal_idle_minutes: int = Field(
        default=120, ge=5, le=10_080, description="A sign-in ends after so long without a request."
    )
    portal_longest_hours: int = Field(
        default=12, ge=1, le=720, description="A sign-in ends after so long in any case."
    )
    webhook_private: bool = Field(
        default=False,
        description="True: webhooks may also be at private and loopback addresses, for programs of one's own network.",
    )
    smtp_url: str = Field(
        default="",
        description="Mail server: `smtp://user:password@host:587` (encrypted by STARTTLS) or `smtps://…`.",
    )
    mail_from: str = Field(
        default="", description="Sender of mail. Empty: the user of `smtp_url`, or `gridroll@` this machine."
    )
    max_photo_bytes: int = Field(
        default=10_000_000, gt=0, description="Largest photograph file that is opened, in bytes."
    )
    max_photo_pixels: int = Field(
        default=40_000_000, gt=0, description="Largest photograph that is decoded, in pixels."
    )
    max_faces_per_student: int = Field(
        default=10, ge=1, le=100, description="Photographs of one student that are enrolled at most."
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
    """Read the configuration, as `read_settings` does, of a home that may be used.

    Raises ConfigError also where a restore was cut short.
    """
    settings = read_settings(home, **overrides)
    refuse_half_restored(settings.home)
    return settings


def read_settings(home: Path | None = None, **overrides: Any) -> Settings:
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
