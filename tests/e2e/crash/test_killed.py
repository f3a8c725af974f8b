"""SIGKILL at random moments: nothing that was acknowledged is lost, nothing counts twice, the ledger is the same."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.e2e.crash.clerk import Clerk
from tests.e2e.crash.crew import Agents, Clerks, Portal, Writers
from tests.e2e.crash.killing import Kills, seeded, side_by_side
from tests.e2e.crash.nursery import Nursery
from tests.e2e.crash.proof import prove_whole
from tests.e2e.crash.school import STAFF, Lesson, School
from tests.mariadb_server import MariaServer

LANES = 2
NONE = Kills(0)


def share(kills: int, percent: int) -> Kills:
    return Kills(max(1, kills * percent // 100))


def until_used(kills: Kills, work: Callable[[Kills], object]) -> Callable[[], None]:
    """The work again and again, as long as somebody is to be killed."""

    def go_on() -> None:
        work(kills)
        while kills.are_left:
            work(kills)

    return go_on


@pytest.fixture(scope="module")
def undisturbed(nursery: Nursery, lesson: Lesson, tmp_path_factory: pytest.TempPathFactory) -> object:
    """The ledger after staff did their work at a portal that nobody killed, on stores of its own."""
    folder = tmp_path_factory.mktemp("undisturbed")
    school = School(folder / "school", lesson.roster)
    portal = Portal(nursery, school, folder / "portal")
    portal.start()
    try:
        clerks = Clerks(school, portal.port)
        clerks.work()
        return school.ledger(clerks.sessions[0])
    finally:
        portal.kill()
        school.close()


def test_an_agent_killed_at_any_moment_leaves_the_ledger_of_one_that_was_not(
    nursery: Nursery, school: School, lesson: Lesson, tmp_path: Path, kills: int, seed: int
) -> None:
    left, agents = share(kills, 40), Agents(nursery, school, lesson, tmp_path, seed)
    side_by_side([until_used(left, agents.watch)] * LANES)
    prove_whole(school.database)
    agents.prove()
    assert left.done == left.wanted


def test_a_portal_and_writers_killed_at_any_moment_lose_and_double_nothing(
    nursery: Nursery, school: School, undisturbed: object, tmp_path: Path, kills: int, seed: int
) -> None:
    portal, writers = Portal(nursery, school, tmp_path / "portal"), Writers(nursery, school, tmp_path, seed)
    clerks, portals, others = Clerks(school, portal.port), share(kills, 18), share(kills, 12)
    portal.start()
    with portal.killed_at_random(portals, seeded(seed, "portal"), 1.5):
        side_by_side([until_used(portals, lambda _: clerks.work()), until_used(others, writers.write)])
    portal.kill()
    prove_whole(school.database)
    clerks.prove(undisturbed)
    writers.prove()
    assert (portals.done, others.done) == (portals.wanted, others.wanted)
    assert "Traceback" not in portal.output.read_text()


def test_a_database_server_killed_at_any_moment_keeps_what_it_acknowledged(
    nursery: Nursery,
    server: MariaServer,
    school: School,
    lesson: Lesson,
    undisturbed: object,
    tmp_path: Path,
    kills: int,
    seed: int,
) -> None:
    left, random, leaving = share(kills, 30), seeded(seed, "server"), threading.Event()
    agents, writers = (
        Agents(nursery, school, lesson, tmp_path, seed),
        Writers(nursery, school, tmp_path, seed),
    )
    portal = Portal(nursery, school, tmp_path / "portal", workers=1)
    clerks = Clerks(school, portal.port)
    portal.start()
    clerks.sign_in()
    portal_runs = []

    def kill_the_server() -> None:
        while left.take():
            if leaving.wait(random.uniform(0, 0.7)):
                return
            server.kill()
            left.met(True)
            server.start()

    def go_on(work: Callable[[], object]) -> Callable[[], None]:
        def again() -> None:
            work()
            while killing.is_alive():
                work()

        return again

    killing = threading.Thread(target=kill_the_server)
    killing.start()
    try:
        side_by_side(
            [
                go_on(lambda: agents.watch(NONE, is_away=True)),
                go_on(lambda: writers.write(NONE, is_away=True)),
                go_on(clerks.work),
            ]
        )
        portal_runs.append(portal.runs)
    finally:
        leaving.set()
        killing.join()
        portal.kill()
    prove_whole(school.database)
    agents.prove()
    writers.prove()
    clerks.prove(undisturbed)
    assert left.done == left.wanted
    assert portal_runs == [True]  # its connections were all lost, and it needed no new start
    assert "Traceback" not in portal.output.read_text()


def test_agent_and_portal_go_on_when_the_database_that_was_away_is_back(
    nursery: Nursery, server: MariaServer, school: School, lesson: Lesson, tmp_path: Path, seed: int
) -> None:
    agents, portal = (
        Agents(nursery, school, lesson, tmp_path, seed),
        Portal(nursery, school, tmp_path / "portal"),
    )
    clerk = Clerk(portal.port, STAFF[0])
    portal.start()
    portal.wait_for()
    session_id = school.start_session()
    said = tmp_path / f"agent-{session_id}"
    watching = threading.Thread(target=agents.watch, args=(NONE, False, session_id))
    watching.start()
    try:
        while not said.exists() or "heads" not in said.read_text():
            time.sleep(0.02)
        server.kill()
        back = threading.Timer(2, server.start)
        back.start()
        clerk.page("/sessions")  # asked again and again, until it is no 503 any more
        back.join()
    finally:
        watching.join()
        runs = portal.runs
        portal.kill()
    assert clerk.outages > 0
    assert runs
    prove_whole(school.database)
    agents.prove()
    assert "Traceback" not in portal.output.read_text()


def test_the_embedded_stores_survive_kills_of_the_agent_and_of_the_cache_s_server(
    nursery: Nursery, embedded: School, lesson: Lesson, tmp_path: Path, kills: int, seed: int
) -> None:
    left, servers = share(kills, 5), share(kills, 2)
    agents, leaving = Agents(nursery, embedded, lesson, tmp_path, seed), threading.Event()
    random, state = seeded(seed, "cache"), embedded.settings.home / "cache" / "server.json"

    def kill_the_cache() -> None:
        while servers.take():
            if leaving.wait(random.uniform(0, 2)):
                return
            servers.met(kill_cache_server(state))

    killing = threading.Thread(target=kill_the_cache)
    killing.start()
    try:
        until_used(left, agents.watch)()
        while killing.is_alive():
            agents.watch(NONE)
    finally:
        leaving.set()
        killing.join()
    prove_whole(embedded.database)
    agents.prove()
    assert (left.done, servers.done) == (left.wanted, servers.wanted)


def kill_cache_server(state: Path) -> bool:
    """SIGKILL to the server that `state` tells of; whether it ran."""
    try:
        server = psutil.Process(json.loads(state.read_text())["pid"])
        if not any("nx_27017" in part for part in server.cmdline()):
            return False
        server.kill()
        server.wait(10)
    except (OSError, ValueError, psutil.Error):
        return False
    return True
