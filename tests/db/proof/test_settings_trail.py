"""Changes of the settings are on the chain, once each, and no secret is."""

import json
from decimal import Decimal
from typing import Any

from pydantic import SecretStr
from sqlalchemy import select

from db.database import Database
from db.proof.settings_trail import note_settings, shown_settings
from db.schema import AuditRow
from db.settings import Settings


def noted(database: Database) -> list[Any]:
    with database.reading() as session:
        return [
            json.loads(detail) for detail in session.scalars(select(AuditRow.detail).order_by(AuditRow.seq))
        ]


def test_the_first_settings_are_noted_and_then_what_differs(
    sqlite_database: Database, settings: Settings
) -> None:
    stricter = settings.model_copy(update={"match_threshold_pct": 95.0, "budget_per_month": Decimal("20.50")})
    for used in (settings, settings, stricter, stricter, settings):
        note_settings(sqlite_database, used, "ann@x.example")
    first, second, third = noted(sqlite_database)
    assert (first["before"], first["after"]) == (None, shown_settings(settings))
    assert second["before"] == {"match_threshold_pct": 91.0, "budget_per_month": None}
    assert second["after"] == {"match_threshold_pct": 95.0, "budget_per_month": "20.50"}
    assert (third["before"], third["after"]) == (second["after"], second["before"])


def test_a_setting_that_a_later_version_lacks_is_noted_once(
    sqlite_database: Database, settings: Settings
) -> None:
    class Later(Settings):
        brightness: int = 3

    note_settings(sqlite_database, Later(home=settings.home), "ann@x.example")
    for _ in range(2):
        note_settings(sqlite_database, settings, "ann@x.example")
    assert [one["after"] for one in noted(sqlite_database)[1:]] == [{"brightness": None}]


def test_where_the_portal_listens_is_nobodys_attendance(settings: Settings) -> None:
    assert not {"home", "portal_host", "portal_port"} & shown_settings(settings).keys()


def test_no_password_key_or_user_enters_the_chain(settings: Settings) -> None:
    class Later(Settings):
        token: str = ""

    shown = shown_settings(
        Later(
            home=settings.home,
            evidence_keys=SecretStr("newest-secret"),
            database_url="mysql+pymysql://roll:p%40secret@db.x.example:3306/gridroll?ssl_key=/secret&charset=utf8mb4",
            cache_url="mongodb://roll:a@b:secret@one:1,two:2/?password=secret",
            smtp_url="smtp://roll:secret@mail",
        )
    )
    assert "secret" not in json.dumps(shown)
    assert "roll:" not in json.dumps(shown)
    assert shown["database_url"] == "mysql+pymysql://db.x.example:3306/gridroll"
    assert shown["cache_url"] == "mongodb://one:1,two:2/"
    assert (shown["smtp_url"], shown["evidence_keys"], shown["token"]) == ("smtp://mail", "set", "")
