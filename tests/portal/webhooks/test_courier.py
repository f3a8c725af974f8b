"""What happened is put into messages once, and they arrive, at least once, whoever fails or dies meanwhile."""

import hashlib
import hmac
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from db.database import Database
from db.edits import NewEdit
from db.entries import save_entry
from db.people import make_course
from db.reviews import review_mark
from db.schema import AuditHead, DeliveryRow, ReplyRow, ReviewRow, User, WebhookRow
from db.sessions import start_session
from db.settings import Settings
from db.webhooks import RETRY_AFTER, add_delivery, due_deliveries, end_webhook, send_again
from portal.webhooks import Courier
from portal.webhooks import courier as couriers_module
from recognizer.judging import Judging, Settlement
from tests.conftest import free_port
from tests.portal.cast import ADMIN, COURSE, INSTRUCTOR, OTHER_COURSE
from tests.portal.webhooks.conftest import SECRET, Hooks, Listener

ROOT = Path(__file__).parents[3]


def edit(database: Database, status: str = "excused", version: int = 1) -> None:
    new = NewEdit(1, "S-1", "the doctor’s note", INSTRUCTOR, status=status, expected_version=version)
    database.transact(lambda writing: save_entry(writing, new))


def rounds(database: Database, settings: Settings, count: int = 1, timeout_s: float = 5.0) -> None:
    courier = Courier(settings, database, timeout_s=timeout_s)
    for _ in range(count):
        courier.round()


def messages(database: Database) -> list[DeliveryRow]:
    with database.reading() as reading:
        return list(reading.scalars(select(DeliveryRow).order_by(DeliveryRow.id)))


def make_due(database: Database) -> None:
    with database.writing() as writing:
        writing.execute(
            update(DeliveryRow)
            .where(DeliveryRow.state == "waiting")
            .values(next_at=datetime.now(UTC) - timedelta(seconds=1))
        )


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_edit_is_told_once_signed_and_without_names(
    hook: Hooks, database: Database, settings: Settings, listener: Listener
) -> None:
    hook()
    edit(database)
    rounds(database, settings, 3)
    ((headers, body),) = listener.got
    (told,) = listener.told
    assert told["event"] == headers["Gridroll-Event"] == "entry.changed"
    assert told["id"] == headers["Gridroll-Delivery"]
    assert told["data"]["by"] == INSTRUCTOR
    assert told["data"]["session_id"] == 1
    assert told["data"]["entries"] == [
        {"student_no": "S-1", "status": "excused", "source": "staff", "version": 2}
    ]
    assert b"Ada" not in body
    stamp, _, digest = headers["Gridroll-Signature"].partition(",v1=")
    at_s = stamp.removeprefix("t=")
    assert abs(int(at_s) - time.time()) < 60
    assert digest == hmac.new(SECRET.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    (message,) = messages(database)
    assert (message.state, message.attempts, message.status_code) == ("delivered", 1, 200)


def test_what_happened_before_the_webhook_was_made_is_not_told(
    hook: Hooks, database: Database, settings: Settings, listener: Listener
) -> None:
    edit(database)
    hook()
    rounds(database, settings, 2)
    assert listener.got == []


def test_a_review_that_is_settled_is_told(
    hook: Hooks, database: Database, settings: Settings, listener: Listener
) -> None:
    hook("review.settled")
    with database.reading() as reading:
        review = reading.scalars(select(ReviewRow)).one()
    Judging(database, None, settings).guest(review.id, "Dr. Cid", Settlement(ADMIN, "", review_mark(review)))
    rounds(database, settings)
    (told,) = listener.told
    assert told["event"] == "review.settled"
    assert told["data"]["review_id"] == review.id
    assert (told["data"]["kind"], told["data"]["state"]) == ("unknown_face", "guest")
    assert "Cid" not in str(told)


def test_a_webhook_of_one_course_or_one_event_hears_no_other(
    hook: Hooks, database: Database, settings: Settings, listener: Listener
) -> None:
    hook(course=OTHER_COURSE)
    hook("review.opened", url=listener.url + "&n=2")
    edit(database)
    rounds(database, settings)
    assert listener.got == []
    with database.reading() as reading:
        head = reading.scalars(select(AuditHead.seq)).one()
        assert set(reading.scalars(select(WebhookRow.told_seq))) == {head}


def test_an_ended_session_is_told_once(
    hook: Hooks, database: Database, settings: Settings, listener: Listener
) -> None:
    hook("session.ended")
    now = datetime.now(UTC)
    with database.writing() as writing:
        start_session(writing, COURSE, "Just over", now - timedelta(minutes=50), 45)
        start_session(writing, COURSE, "Running", now - timedelta(minutes=10), 45)
        start_session(writing, COURSE, "Last week", now - timedelta(days=7), 45)
    rounds(database, settings)
    rounds(database, settings)
    (told,) = listener.told
    assert (told["event"], told["data"]["title"]) == ("session.ended", "Just over")


def test_a_message_that_fails_is_sent_again_later_and_later_and_then_given_up(
    hook: Hooks, database: Database, settings: Settings, listener: Listener
) -> None:
    hook()
    listener.answers = [500]
    edit(database)
    pauses = []
    for _ in range(len(RETRY_AFTER) + 1):
        make_due(database)
        rounds(database, settings)
        (sent,) = messages(database)
        pauses.append(sent.next_at - datetime.now(UTC))
    (message,) = messages(database)
    assert len(listener.got) == len(RETRY_AFTER) + 1
    assert len({told["id"] for told in listener.told}) == 1
    assert (message.state, message.status_code) == ("given_up", 500)
    assert message.error == "127.0.0.1 answered 500"
    for pause, planned in zip(pauses, RETRY_AFTER, strict=False):
        assert abs(pause - planned) < timedelta(seconds=30)
    assert timedelta(hours=22) < sum(RETRY_AFTER, timedelta()) < timedelta(hours=26)

    listener.answers = [200]
    with database.writing() as writing:
        send_again(writing, message.id, datetime.now(UTC))
    rounds(database, settings)
    (message,) = messages(database)
    assert (message.state, message.error) == ("delivered", None)


def test_a_message_that_failed_waits_until_it_is_due(
    hook: Hooks, database: Database, settings: Settings, listener: Listener
) -> None:
    hook()
    listener.answers = [500]
    edit(database)
    rounds(database, settings, 3)
    assert len(listener.got) == 1


def test_one_that_never_answers_holds_up_no_other(
    hook: Hooks, database: Database, settings: Settings, listener: Listener
) -> None:
    hook(url=listener.url.replace("/hook", "/silent"))
    hook()
    listener.hold, listener.slow = threading.Event(), "/silent"
    edit(database)
    edit(database, "late", 2)
    rounds(database, settings, timeout_s=0.4)
    # Of the silent one's two messages the second was not even tried.
    assert [(one.state, one.attempts) for one in messages(database)] == [
        ("waiting", 1), ("waiting", 0), ("delivered", 1), ("delivered", 1)
    ]  # fmt: skip
    listener.hold.set()
    make_due(database)
    rounds(database, settings)
    assert {one.state for one in messages(database)} == {"delivered"}


def keep_waiting(database: Database, webhook_id: int, count: int, made_at: datetime) -> None:
    with database.writing() as writing:
        for _ in range(count):
            add_delivery(writing, webhook_id, "webhook.test", "{}", "", made_at)


def test_hundreds_of_messages_to_one_that_is_dead_hold_up_no_other(
    hook: Hooks, database: Database, settings: Settings, listener: Listener
) -> None:
    dead, alive = hook(url=f"http://127.0.0.1:{free_port()}/"), hook()
    now = datetime.now(UTC)
    keep_waiting(database, dead, 400, now - timedelta(hours=1))
    keep_waiting(database, alive, 3, now)
    rounds(database, settings)
    assert len(listener.got) == 3
    with database.reading() as reading:
        due = due_deliveries(reading, datetime.now(UTC), per_webhook=7)
    oldest = [one.id for one in messages(database)][1:8]  # the first is due later
    assert {key: [message for message, _ in keys] for key, keys in due.items()} == {dead: oldest}


def test_one_that_is_slow_ends_its_turn_before_all_its_messages_are_sent(
    hook: Hooks,
    database: Database,
    settings: Settings,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep_waiting(database, hook(), 3, datetime.now(UTC))
    monkeypatch.setattr(couriers_module, "TURN_S", 0.0)
    for sent in (1, 2, 3):
        rounds(database, settings)
        assert len(listener.got) == sent


KILLED = """
import os, signal, sys
from pathlib import Path
from db.database import open_database
from db.settings import Settings
from portal.webhooks import courier

courier.finish_delivery = lambda *args: os.kill(os.getpid(), signal.SIGKILL)
settings = Settings(home=Path(sys.argv[1]), webhook_private=True)
courier.Courier(settings, open_database(settings.resolved_database_url)).round()
"""


def test_who_is_killed_between_sending_and_noting_it_leaves_it_to_be_sent_again_under_the_same_id(
    hook: Hooks, database: Database, settings: Settings, listener: Listener
) -> None:
    hook()
    edit(database)
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, str(settings.home)], cwd=ROOT, capture_output=True, check=False
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert len(listener.got) == 1
    rounds(database, settings)
    assert len(listener.got) == 1  # whoever sends it may still be alive
    make_due(database)
    rounds(database, settings)
    first, second = listener.told
    assert first == second
    (message,) = messages(database)
    assert (message.state, message.attempts) == ("delivered", 2)


def test_several_couriers_send_a_message_once(
    hook: Hooks, database: Database, settings: Settings, listener: Listener
) -> None:
    hook()
    couriers = [Courier(settings, database, every_s=0.02) for _ in range(3)]
    for version in range(1, 5):
        edit(database, "excused" if version % 2 else "late", version)
    for courier in couriers:
        courier.__enter__()
    try:
        wait_until(lambda: [one.state for one in messages(database)] == ["delivered"] * 4)
    finally:
        for courier in couriers:
            courier.__exit__(None, None, None)
    assert len(listener.got) == 4
    assert len({told["id"] for told in listener.told}) == 4


def test_a_webhook_that_ended_and_one_whose_user_left_are_told_nothing(
    hook: Hooks, database: Database, settings: Settings, listener: Listener
) -> None:
    ended = hook()
    with database.writing() as writing:
        end_webhook(writing, ended, datetime.now(UTC), ADMIN)
    edit(database)
    rounds(database, settings)
    hook()
    with database.writing() as writing:
        writing.scalars(select(User).where(User.email == ADMIN)).one().active = False
    edit(database, "late", 2)
    rounds(database, settings)
    assert listener.got == []


def test_a_chain_that_was_cut_back_by_a_restore_is_told_from_there_on(
    hook: Hooks, database: Database, settings: Settings, listener: Listener
) -> None:
    key = hook()
    with database.writing() as writing:
        writing.get_one(WebhookRow, key).told_seq = 10_000
    rounds(database, settings)
    edit(database)
    rounds(database, settings)
    assert len(listener.got) == 1


def test_a_ledger_that_is_away_is_told_of_once_and_tried_again(
    hook: Hooks, database: Database, settings: Settings, listener: Listener, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    hook()
    away = threading.Event()
    away.set()
    real = Courier.round

    def fails(self: Courier) -> None:
        if away.is_set():
            raise OSError("the disk is away")
        real(self)

    monkeypatch.setattr(Courier, "round", fails)
    with Courier(settings, database, every_s=0.02):
        time.sleep(0.2)
        away.clear()
        edit(database)
        wait_until(lambda: len(listener.got) == 1)
        wait_until(lambda: len(caplog.records) == 2)
    assert [record.getMessage() for record in caplog.records] == [
        "webhooks are not told, which is tried again: the disk is away",
        "webhooks are told again",
    ]


def test_five_hundred_changes_are_told_in_several_goes(
    hook: Hooks, database: Database, settings: Settings, listener: Listener
) -> None:
    hook()
    with database.writing() as writing:
        for number in range(1, 601):
            make_course(writing, f"C-{number}")
    edit(database)
    rounds(database, settings)
    assert len(listener.got) == 1


def test_answers_to_programs_are_forgotten_after_a_day_though_none_asks_any_more(
    database: Database, settings: Settings
) -> None:
    with database.writing() as writing:
        for number, hours in enumerate((1, 25)):
            made_at = datetime.now(UTC) - timedelta(hours=hours)
            row = {"key_hash": f"{number}" * 64, "request_sha256": "0" * 64, "status": 200, "body": "{}"}
            writing.add(ReplyRow(**row, made_at=made_at))
    rounds(database, settings, 1)
    with database.reading() as reading:
        assert reading.scalars(select(ReplyRow.key_hash)).all() == ["0" * 64]
