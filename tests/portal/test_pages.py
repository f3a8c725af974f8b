"""What staff and students see."""

from datetime import UTC, datetime, timedelta

import pytest

from db.accounts import add_user
from db.database import Database
from db.people import enrol, make_course
from db.report import ReviewLine
from db.sessions import start_session
from portal.moments import between_joined, between_left, clock, day, hours, zone
from portal.wording import (
    attended_percent,
    minutes,
    percent,
    review_note,
    review_sentence,
    review_state,
    sentence,
    status,
)
from tests.portal.cast import (
    ADMIN,
    COURSE,
    PASSWORD_HASH,
    STUDENT_A,
    STUDENT_B,
    Seen,
    add_accounts,
    class_of_two,
    record,
    roster_line,
)
from tests.portal.conftest import Browser


def text_of(page: str) -> str:
    return " ".join(page.split())


def test_the_list_shows_each_session_in_its_courses_time_zone(browser: Browser, meeting: int) -> None:
    browser.sign_in(ADMIN)
    page = text_of(browser.get("/sessions").text)
    assert "Mon 2 Mar 2026" in page
    assert "09:00–09:45 CET" in page
    assert "2 of 2 seen" in page
    assert "1 open" in page


def test_a_list_without_sessions_says_how_to_start_one(browser: Browser, database: Database) -> None:
    with database.writing() as writing:
        add_accounts(writing)
    browser.sign_in(ADMIN)
    page = browser.get("/sessions").text
    assert "No sessions yet" in page
    assert "<table" not in page


def test_a_session_shows_its_figures_people_doubts_and_looks(browser: Browser, meeting: int) -> None:
    browser.sign_in(ADMIN)
    page = text_of(browser.get(f"/sessions/{meeting}").text)
    for expected in (
        "Ada Adams",
        "Ben Brown",
        "22 <span>of 23 looks balance</span>",
        "3 <span>searched, 0 paid</span>",
        "Every look would have cost 34",
        'title="between 09:03:59 and 09:06:00"',
        'title="between 09:24:00 and 09:26:00"',
        "At 09:44:00 there was a face that matches nobody on the roster.",
        "The headcount changed",
        "<svg",
    ):
        assert expected in page
    assert "so far" not in page


def test_a_running_session_says_so_far(browser: Browser, database: Database, meeting: int) -> None:
    with database.writing() as writing:
        row = start_session(writing, COURSE, "Now", datetime.now(UTC) - timedelta(minutes=5), 45)
        running = row.id
    browser.sign_in(ADMIN)
    assert "Running, so far" in browser.get(f"/sessions/{running}").text
    assert "Running" in browser.get("/sessions").text


def test_a_session_nobody_looked_at_shows_everybody_as_unverified(
    browser: Browser, database: Database, meeting: int
) -> None:
    with database.writing() as writing:
        planned = start_session(writing, COURSE, "Tomorrow", datetime.now(UTC) + timedelta(days=1), 45).id
    browser.sign_in(ADMIN)
    page = browser.get(f"/sessions/{planned}").text
    assert page.count('class="badge-status status-unverified"') == 2
    assert "No look has been taken yet" in page
    assert "Nothing has been looked at yet." in page


def test_a_course_without_a_roster_says_so(browser: Browser, database: Database) -> None:
    with database.writing() as writing:
        add_accounts(writing)
        make_course(writing, "EMPTY")
        empty = start_session(writing, "EMPTY", "", datetime.now(UTC), 45).id
    browser.sign_in(ADMIN)
    page = browser.get(f"/sessions/{empty}").text
    assert "Nobody is on the roster of EMPTY" in page
    assert 'href="/courses/EMPTY/roster">Import it</a>' in page


def test_a_student_sees_their_own_record_and_nobody_elses(browser: Browser, meeting: int) -> None:
    browser.sign_in(STUDENT_A)
    page = text_of(browser.get("/me").text)
    assert "Ada Adams" in page
    assert "100 %" in page
    assert "09:00–09:45 CET" in page
    for foreign in ("Ben", "Brown", "S-2", STUDENT_B, "of 2", "reviews"):
        assert foreign not in page


def test_a_students_own_times_are_as_honest_as_staffs(browser: Browser, meeting: int) -> None:
    browser.sign_in(STUDENT_B)
    page = text_of(browser.get("/me").text)
    assert "between 09:03:59 and 09:06:00" in page
    assert "Left early" in page
    assert "Ada" not in page


def test_running_excused_and_unverified_sessions_do_not_count_in_the_share(
    browser: Browser, database: Database, meeting: int
) -> None:
    with database.writing() as writing:
        row = start_session(writing, COURSE, "Now", datetime.now(UTC) - timedelta(minutes=5), 45)
        record(writing, row, [Seen(1, {})])
        missed = start_session(writing, COURSE, "Missed", datetime.now(UTC) - timedelta(days=1), 45)
        record(writing, missed, [Seen(1, {"stranger": None})])
    browser.sign_in(STUDENT_A)
    page = text_of(browser.get("/me").text)
    assert "attended: 1 of 2 sessions" in page
    assert "So far" in page


def test_a_student_without_sessions_sees_a_page_that_says_so(browser: Browser, database: Database) -> None:
    with database.writing() as writing:
        enrol(writing, make_course(writing, COURSE), [roster_line("S-9", "Zoe Zimmer", "zoe@example.edu")])
        add_user(writing, "zoe@example.edu", "student", PASSWORD_HASH)
    browser.sign_in("zoe@example.edu")
    page = browser.get("/me").text
    assert "Nothing on record yet" in page
    assert "What the words mean" in page


def test_names_are_text_whatever_they_contain(browser: Browser, database: Database) -> None:
    class_of_two(database)
    with database.writing() as writing:
        course = make_course(writing, COURSE)
        enrol(writing, course, [roster_line("S-1", "<script>alert('Ada')</script>", STUDENT_A)])
        start_session(writing, COURSE, "<b>Bold</b>", datetime.now(UTC), 45)
    browser.sign_in(ADMIN)
    for path in ("/sessions", "/sessions/1", "/sessions/2"):
        page = browser.get(path).text
        assert "<script>alert" not in page
        assert "<b>Bold" not in page


SUMMER = datetime(2026, 7, 1, 22, 30, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time_zone", "shown"),
    [
        ("UTC", "Wed 1 Jul 2026 22:30 UTC"),
        ("Europe/Berlin", "Thu 2 Jul 2026 00:30 CEST"),  # the next day already
        ("America/Sao_Paulo", "Wed 1 Jul 2026 19:30 UTC-03"),  # a zone without an abbreviation
        ("Asia/Kolkata", "Thu 2 Jul 2026 04:00 IST"),
    ],
)
def test_moments_are_shown_in_the_courses_zone_which_is_named(time_zone: str, shown: str) -> None:
    assert f"{day(SUMMER, time_zone)} {hours(SUMMER, time_zone)} {zone(SUMMER, time_zone)}" == shown


def test_times_claim_no_more_than_was_seen() -> None:
    later = SUMMER + timedelta(seconds=50)
    assert between_joined(SUMMER, later, "UTC") == "between 22:30:05 and 22:30:55"
    assert between_joined(None, later, "UTC") == "there at the first look"
    assert between_left(SUMMER, later, "UTC") == "between 22:30:05 and 22:30:55"
    assert between_left(SUMMER, None, "UTC") == "there at the last look"
    assert between_joined(None, None, "UTC") == between_left(None, None, "UTC") == ""
    assert clock(None, "UTC") == "–"


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("unknown_face", None, "At 22:30:05 there was a face that matches nobody on the roster."),
        (
            "low_similarity",
            "Ada",
            "At 22:30:05 there was a face most like Ada, but not alike enough to say so.",
        ),
        ("two_tiles", "Ada", "At 22:30:05 Ada was seen in two tiles at once."),
        ("small_margin", "Ada", "At 22:30:05 there was a face about as much like Ada as like Ben."),
        (
            "still_picture",
            "Ada",
            "At 22:30:05 Ada’s tile had not moved for minutes, as a still picture would.",
        ),
        (
            "loop",
            None,
            "At 22:30:05 the tile of an unknown face showed again what it had shown before, as a film in a loop would.",
        ),
        ("headcount", None, "From 22:30:05 on, heads were counted that no face explains."),
        ("label_differs", "Ada", "Label differs about Ada at 22:30:05."),  # a kind of a later version
    ],
)
def test_a_doubt_is_a_sentence(kind: str, name: str | None, words: str) -> None:
    review = ReviewLine(kind, None, name, SUMMER, "open", rival_name="Ben")
    assert review_sentence(review, "UTC") == words


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no file was chosen; choose one", "No file was chosen; choose one."),
        ("it’s late.", "It’s late."),
        ("émile, say why", "Émile, say why."),
        ("e-mail addresses differ", "E-mail addresses differ."),
        ("f.csv is not UTF-8", "f.csv is not UTF-8."),
        ("ada@example.edu is taken", "ada@example.edu is taken."),
        ("smtp_url lacks a host", "smtp_url lacks a host."),
        ("s12 was removed before", "s12 was removed before."),
        ("'nine' is no time", "'nine' is no time."),
        ("/tmp/x is a folder", "/tmp/x is a folder."),
        ("", "."),
    ],
)
def test_only_a_word_gets_a_capital(line: str, said: str) -> None:
    assert sentence(line) == said


def test_a_settled_review_says_how_and_asks_for_nothing() -> None:
    for state, guest, word, note in [
        ("guest", "Dr. Cid", "Guest", "Named as Dr. Cid."),
        ("guest", "", "Guest", ""),  # forgotten since
        ("confirmed", "", "Confirmed", ""),
        ("not_this_person", "", "Not this person", ""),
        ("dismissed", "", "Dismissed", ""),
    ]:
        review = ReviewLine("unknown_face", None, None, SUMMER, state, guest=guest)
        assert (review_state(review), review_note(review)) == (word, note)
    assert review_note(ReviewLine("unknown_face", None, None, SUMMER, "open"))


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (None, "–"),
        (0.0, "0 %"),
        (0.001, "1 %"),
        (0.29, "29 %"),  # 28.999… in binary
        (0.57, "57 %"),
        (0.749, "74 %"),
        (0.7499999, "74 %"),
        (0.75, "75 %"),
        (2 / 3, "66 %"),
        (0.999, "99 %"),
        (1.0, "100 %"),
    ],
)
def test_who_is_below_a_limit_never_seems_to_have_reached_it(share: float | None, words: str) -> None:
    assert attended_percent(share) == words


def test_rounding_never_claims_all_or_nothing() -> None:
    assert [percent(share) for share in (None, 0, 0.001, 0.5, 0.999, 1)] == [
        "–",
        "0 %",
        "1 %",
        "50 %",
        "99 %",
        "100 %",
    ]
    assert [minutes(value) for value in (0, 0.4, 42.6)] == ["0", "< 1", "43"]
    assert status("on_leave") == "On leave"
