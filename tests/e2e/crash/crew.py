"""Who works at a school while programs are killed: agents, writers and staff, each with what was acknowledged to them."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from sqlalchemy import select

from db.database import Database
from db.ledger import catch_up
from db.looks import record_looks
from db.report import session_report
from db.schema import EditRow
from tests.conftest import START, free_port
from tests.e2e.crash.clerk import EDITS, Clerk, class_with_doubts
from tests.e2e.crash.killing import Kills, Said, see_through, seeded, side_by_side
from tests.e2e.crash.nursery import Child, Nursery
from tests.e2e.crash.programs import look_of
from tests.e2e.crash.proof import assert_same, taken
from tests.e2e.crash.school import (
    CLASS,
    COMMAND,
    LOOKS,
    STAFF,
    Lesson,
    School,
    ledger_of,
    new_session,
    watch_arguments,
)

__all__ = ["LONG_MINUTES", "Agents", "Clerks", "Portal", "Writers", "written_one_by_one"]

WRITTEN = 60
LONG_MINUTES = 60.0


@dataclass(slots=True)
class Agents:
    """Agents that watch the lesson, session after session. `watched`: what each session's agents said.

    `whole_s`: how long that takes when nobody is killed.
    """

    nursery: Nursery
    school: School
    lesson: Lesson
    folder: Path
    seed: int
    watched: dict[int, Said] = field(default_factory=dict)
    whole_s: float = 0.0

    def __post_init__(self) -> None:
        """The first session is watched undisturbed, to know for how long: the moments spread over all of that."""
        began = time.monotonic()
        self.watch(Kills(0))
        self.whole_s = time.monotonic() - began

    def watch(self, kills: Kills, is_away: bool = False, session_id: int | None = None) -> None:
        """Have a session, None: a new one, watched to its end, by as many agents as it takes."""
        session_id = self.school.start_session() if session_id is None else session_id
        random = seeded(self.seed, "agent", session_id)

        def start(output: Path) -> Child:
            arguments = watch_arguments(session_id, self.lesson.pictures)
            return self.nursery.start(COMMAND, *arguments, output=output, environment=self.school.environment)

        self.watched[session_id] = see_through(
            start,
            self.folder / f"agent-{session_id}",
            kills,
            lambda: random.uniform(0, self.whole_s),
            is_away,
        )

    def prove(self) -> None:
        """Each look that was shown is stored once, and each session's ledger is the undisturbed one."""
        for session_id, said in self.watched.items():
            looks = taken(self.school.database, session_id)
            assert len(looks) == LOOKS
            assert set(looks.values()) == {1}
            assert {line[:8] for line in said.lines if "  heads " in line} <= looks.keys()
            assert not any(line.startswith("Traceback") for line in said.lines)
            assert_same(self.school.ledger(session_id), self.lesson.ledger, f"session {session_id}\n{said}")


@dataclass(slots=True)
class Writers:
    """Programs that hand in looks through the ledger's own door, session after session."""

    nursery: Nursery
    school: School
    folder: Path
    seed: int
    written: dict[int, Said] = field(default_factory=dict)

    def write(self, kills: Kills, is_away: bool = False) -> None:
        """Have a new session's looks stored; a program that is started again goes on, or begins anew."""
        session_id = self.school.start_session(LONG_MINUTES)
        random, students = seeded(self.seed, "writer", session_id), self.school.student_ids

        def start(output: Path) -> Child:
            told = set(Said(output).done) if random.random() < 0.5 else set()
            numbers = [number for number in range(WRITTEN) if str(number) not in told]
            return self.nursery.start(
                "tests.e2e.crash.programs:write",
                *(session_id, students, numbers),
                output=output,
                environment=self.school.environment,
            )

        self.written[session_id] = see_through(
            start, self.folder / f"writer-{session_id}", kills, lambda: random.uniform(0, 0.8), is_away
        )

    def prove(self) -> None:
        """All looks are stored once, and the ledger is that of looks stored one after the other."""
        undisturbed = written_one_by_one(self.school.database, self.school.student_ids)
        for session_id, said in self.written.items():
            looks = taken(self.school.database, session_id)
            assert set(said.done) == {str(number) for number in range(WRITTEN)}
            assert (len(looks), set(looks.values())) == (WRITTEN, {1})
            assert_same(self.school.ledger(session_id), undisturbed, f"session {session_id}\n{said}")


def written_one_by_one(database: Database, student_ids: Sequence[int], count: int = WRITTEN) -> object:
    """The ledger of a session whose looks were stored one after the other."""
    session_id = new_session(database, LONG_MINUTES)
    for number in range(count):
        with database.writing() as session:
            record_looks(session, [look_of(session_id, student_ids, number, START)])
    catch_up(database, session_id)
    return ledger_of(database, session_id)


class Portal:
    """`gridroll serve` at a port, started anew whenever it is killed. `workers`: see the setting; each start takes seconds."""

    def __init__(self, nursery: Nursery, school: School, output: Path, workers: int = 0) -> None:
        self.port = free_port()
        self.output = output
        self._nursery = nursery
        self._environment = school.environment | {"GRIDROLL_PORTAL_WORKERS": str(workers)}
        self._child: Child | None = None

    def wait_for(self) -> None:
        """Returns once it answers: it does not start while the database is away."""
        Clerk(self.port, STAFF[0]).page("/sessions")

    def start(self) -> None:
        self._child = self._nursery.start(
            *(COMMAND, "serve", "--port", str(self.port)),
            output=self.output,
            environment=self._environment,
        )

    @property
    def runs(self) -> bool:
        return self._child is not None and self._child.wait(0) is None

    def kill(self) -> bool:
        assert self._child is not None
        return self._child.kill()

    @contextmanager
    def killed_at_random(self, kills: Kills, random: Random, at_most_s: float) -> Iterator[None]:
        """Kill it again and again until the block is left."""
        leaving = threading.Event()

        def go_on() -> None:
            while not leaving.wait(random.uniform(0, at_most_s)) and kills.take():
                kills.met(self.kill())
                self.start()

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            leaving.set()
            thread.join()


@dataclass(slots=True)
class Clerks:
    """Staff at the portal: two edit entries, a third settles reviews, session after session."""

    school: School
    port: int
    clerks: tuple[Clerk, ...] = ()
    sessions: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clerks = tuple(Clerk(self.port, email) for email in STAFF)

    def sign_in(self) -> None:
        """Returns once all are signed in. While the database is killed again and again, ten tries may be cut off half
        way, which count, and the next is refused.
        """
        for clerk in self.clerks:
            clerk.page("/sessions")

    def work(self) -> None:
        """Write over all entries of a new session, each several times, and settle its reviews."""
        session_id = self.school.start_session()
        class_with_doubts(self.school.database, session_id, self.school.student_ids)
        # A writing transaction is repeated where the database is killed meanwhile.
        reviews = self.school.database.transact(lambda session: session_report(session, session_id).reviews)
        numbers = [person.student_no for person in CLASS]
        first, second, judge = self.clerks

        def edit(clerk: Clerk, students: list[str]) -> None:
            for fields in EDITS:
                for student_no in students:
                    clerk.edit(session_id, student_no, fields)

        def settle() -> None:
            for place, review in enumerate(
                sorted(reviews, key=lambda one: (one.kind, one.student_no or "", one.id))
            ):
                judge.settle(session_id, review.id, ANSWERS[place])

        works: list[Callable[[], object]] = [
            lambda: edit(first, numbers[::2]),
            lambda: edit(second, numbers[1::2]),
            settle,
        ]
        side_by_side(works)
        self.sessions.append(session_id)

    def prove(self, undisturbed: object) -> None:
        """Each edit is there once, in the order in which it was acknowledged, and each session ends the same."""
        reasons = [fields["reason"] for fields in EDITS]
        for session_id in self.sessions:
            with self.school.database.reading() as session:
                made = select(EditRow.student_id, EditRow.reason).where(EditRow.session_id == session_id)
                found: dict[int, list[str]] = {}
                for student, reason in session.execute(made.order_by(EditRow.id)):
                    found.setdefault(student, []).append(reason)
            assert found == dict.fromkeys(self.school.student_ids, reasons)
            assert_same(self.school.ledger(session_id), undisturbed, f"session {session_id}")


ANSWERS = (
    {"answer": "is:S2005"},
    {"answer": "not:S2006", "reason": "a sister"},
    {"answer": "guest", "guest": "Visitor"},
    {"answer": "dismiss"},
    {"answer": "other", "student_no": "S2007", "reason": "new glasses"},
)
