"""Looks that are handed in again: after a kill, after an answer was lost, after they could not be stored."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from db.database import Database
from db.errors import DatabaseError
from db.face_cache import FaceCache
from db.report import session_report
from db.sessions import start_session
from db.settings import Settings
from demo.cast import STRANGER, Person
from recognizer.memory import IdentityMemory
from recognizer.observation import Observation, Receipt, SeenFace
from recognizer.verify import Verifier
from tests.conftest import START
from tests.recognizer.conftest import ANN, BEN, class_of_two, crop_of


class Agent:
    """Hands in looks at a class of Ann and Ben. Nobody is named at one look."""

    def __init__(self, folder: Path, database: Database, cache: FaceCache, settings: Settings) -> None:
        self.database, self.cache = database, cache
        self.settings = settings.model_copy(update={"sure_threshold_pct": 100.0})
        self.engine, self.session_id = class_of_two(folder, database, cache, settings)
        self.start_again()

    def start_again(self) -> None:
        """As a program that was killed: what it had in its memory is gone."""
        self.verifier = Verifier(self.database, self.cache, self.engine, self.settings)

    def look(self, minute: int, *faces: SeenFace) -> Receipt:
        taken_at = START + timedelta(minutes=minute)
        return self.verifier.verify(
            Observation(
                f"u{minute}", self.session_id, taken_at, taken_at, "headcount", len(faces), tuple(faces)
            )
        )

    def names(self) -> dict[str, float | None]:
        with self.database.reading() as session:
            report = session_report(session, self.session_id)
        return {line.name: line.confidence for line in report.students if line.joined_at is not None}


def shown(track: str, person: Person, minute: int, succeeds: str | None = None) -> SeenFace:
    """A face asked about, a little elsewhere each minute; heads of a look do not lie in one place."""
    x1 = 9 + 100 * ord(track[0])
    crop = crop_of(person, 300, 3 * minute)
    return SeenFace(track, (x1 - 9, 0, x1 + 90, 99), (x1, 9, x1 + 41, 50), crop, succeeds=succeeds)


@pytest.fixture
def agent(tmp_path: Path, sqlite_database: Database, cache: FaceCache, settings: Settings) -> Agent:
    return Agent(tmp_path, sqlite_database, cache, settings)


@pytest.fixture
def undisturbed(agent: Agent) -> tuple[Receipt, dict[str, float | None]]:
    """The third receipt, and what the ledger says, of another session of three looks in which nothing happened."""
    for minute in (1, 2):
        agent.look(minute, shown("a", ANN, minute), shown("b", BEN, minute))
    last, names = agent.look(3, shown("a", ANN, 3), shown("b", BEN, 3)), agent.names()
    with agent.database.writing() as session:
        agent.session_id = start_session(session, "BIO", "", START, 45).id
    return last, names


def test_a_look_handed_in_again_gets_the_answer_of_then(agent: Agent) -> None:
    given = [agent.look(minute, shown("a", ANN, minute), shown("b", BEN, minute)) for minute in (1, 2, 3)]
    assert given[0].wanted == {"a", "b"}
    assert given[-1].names == {"a": ANN.name, "b": BEN.name}
    searched = agent.engine.searched
    agent.start_again()
    again = [agent.look(minute, shown("a", ANN, minute), shown("b", BEN, minute)) for minute in (1, 2, 3)]
    assert [(one.wanted, one.names) for one in again] == [(one.wanted, one.names) for one in given]
    assert agent.engine.searched == searched


def test_who_continues_whom_is_told_again(agent: Agent) -> None:
    for minute in (1, 2):
        agent.look(minute, shown("a", ANN, minute))
    given = agent.look(3, shown("a2", ANN, 3, succeeds="a"))
    assert given.continues == {"a2": "a"}
    agent.start_again()
    assert agent.look(3, shown("a2", ANN, 3, succeeds="a")).continues == given.continues


def test_what_a_killed_agent_stored_and_did_not_remember_is_found_out_again(
    agent: Agent, undisturbed: tuple[Receipt, dict[str, float | None]], tmp_path: Path
) -> None:
    last, names = undisturbed
    for minute in (1, 2):
        agent.look(minute, shown("a", ANN, minute), shown("b", BEN, minute))
    # What the agent wrote into the cache after the second look never arrived there.
    agent.cache = FaceCache(agent.cache.url, database="empty")
    agent.start_again()
    for minute in (1, 2):
        agent.look(minute, shown("a", ANN, minute), shown("b", BEN, minute))
    third = agent.look(3, shown("a", ANN, 3), shown("b", BEN, 3))
    agent.cache.close()
    assert (third.names, third.wanted) == (last.names, last.wanted)
    assert agent.names() == names


def test_that_a_question_was_put_once_more_is_found_out_again_too(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise SystemExit

    same = shown("a", STRANGER, 1)  # the second to the fourth look show nothing new
    wanted = [agent.look(minute, same).wanted for minute in (1, 2, 3)]
    monkeypatch.setattr(agent.verifier._memory, "remember", killed)
    with pytest.raises(SystemExit):
        agent.look(4, same)
    agent.start_again()
    assert [agent.look(minute, same).wanted for minute in (1, 2, 3, 4)] == [*wanted, frozenset()]
    agent.start_again()
    assert agent.look(5, replace(same, crop=None)).wanted == frozenset()


def test_a_provider_is_not_paid_again_for_what_was_not_remembered(agent: Agent) -> None:
    agent.look(1, shown("a", ANN, 1))
    searched = agent.engine.searched
    agent.cache = FaceCache(agent.cache.url, database="empty")
    agent.engine.bills = True
    agent.start_again()
    assert agent.look(1, shown("a", ANN, 1)).wanted == {"a"}
    agent.cache.close()
    assert agent.engine.searched == searched


def test_a_look_that_could_not_be_stored_is_not_searched_for_again(agent: Agent) -> None:
    with agent.database.writing() as session:
        session.execute(
            text("CREATE TRIGGER full BEFORE INSERT ON looks BEGIN SELECT RAISE(ABORT, 'no'); END")
        )
    with pytest.raises(DatabaseError):
        agent.look(1, shown("a", ANN, 1), shown("b", BEN, 1))
    searched = agent.engine.searched
    with agent.database.writing() as session:
        session.execute(text("DROP TRIGGER full"))
    receipt = agent.look(1, shown("a", ANN, 1), shown("b", BEN, 1))
    assert agent.engine.searched == searched == receipt.searches
    memory = IdentityMemory(agent.cache)
    assert memory.recall(agent.session_id, ["a", "b"]).keys() == {"a", "b"}
