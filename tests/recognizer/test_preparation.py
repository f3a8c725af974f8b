"""`gridroll init`, with faces here and at a provider."""

from contextlib import closing

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from db.database import Database
from db.schema import EngineCallRow
from db.settings import Settings
from recognizer.errors import EngineError
from recognizer.preparation import init, prepare_engine
from recognizer.rekognition import RekognitionEngine
from tests.recognizer.conftest import ANN, crop_of
from tests.rekognition_server import RekognitionServer, refused


def configure(settings: Settings, monkeypatch: pytest.MonkeyPatch, cache_server: str) -> None:
    monkeypatch.setenv("GRIDROLL_CACHE_URL", cache_server)
    monkeypatch.setenv("GRIDROLL_ENGINE", settings.engine)
    monkeypatch.setenv("GRIDROLL_REKOGNITION_ENDPOINT_URL", settings.rekognition_endpoint_url)
    monkeypatch.setenv("GRIDROLL_REKOGNITION_REGION", settings.rekognition_region)


def test_init_makes_the_collection_once(
    rekognition_settings: Settings,
    rekognition_server: RekognitionServer,
    monkeypatch: pytest.MonkeyPatch,
    cache_server: str,
) -> None:
    configure(rekognition_settings, monkeypatch, cache_server)
    for expected in ("made", "there"):
        result = CliRunner().invoke(init)
        assert result.exit_code == 0
        assert f"collection gridroll at {rekognition_server.url} {expected}" in result.output
    assert (rekognition_settings.home / "gridroll.sqlite").is_file()


def test_init_asks_nobody_where_faces_are_kept_here(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, cache_server: str
) -> None:
    configure(settings, monkeypatch, cache_server)
    result = CliRunner().invoke(init)
    assert result.exit_code == 0
    assert "collection" not in result.output


def test_giving_faces_their_users_is_accounted_for(
    rekognition_settings: Settings,
    sqlite_database: Database,
) -> None:
    with closing(RekognitionEngine(rekognition_settings)) as engine:
        engine.prepare()
        engine.index(crop_of(ANN), "S1")
    users = rekognition_settings.model_copy(update={"rekognition_search": "users"})
    assert str(prepare_engine(users)).endswith("1 faces given their users")
    assert str(prepare_engine(users)).endswith("there")
    with sqlite_database.reading() as session:
        calls = session.scalars(select(EngineCallRow).where(EngineCallRow.billed > 0)).all()
        assert [(call.operation, call.billed) for call in calls] == [("AssociateFaces", 1)]


def test_a_collection_that_may_not_be_made_is_an_error_with_the_action(
    rekognition_settings: Settings, rekognition_server: RekognitionServer, sqlite_database: Database
) -> None:
    rekognition_server.faults.add("CreateCollection", refused("AccessDeniedException"))
    with pytest.raises(EngineError, match="rekognition:CreateCollection"):
        prepare_engine(rekognition_settings)
