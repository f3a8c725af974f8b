"""The review queue: what it shows, what each answer leads to, and what happens where two settle the same."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from db.database import Database
from db.disputes import make_dispute
from db.ledger import refold
from db.report import ReviewLine, session_report
from db.rules import Ledger
from db.schema import (
    AttendanceRow,
    AuditRow,
    BlobRow,
    EvidenceRow,
    LookRow,
    PhotoRow,
    ReviewRow,
    SessionRow,
    SightingRow,
    Student,
)
from db.sessions import start_session
from portal.queue.answers import offers, suspects_one
from portal.queue.place import Place, place_of
from tests.portal.cast import (
    ADMIN,
    COURSE,
    INSTRUCTOR,
    OTHER_COURSE,
    OTHER_INSTRUCTOR,
    STAFF,
    START,
    STUDENT_A,
    add_accounts,
    class_in_doubt,
)
from tests.portal.conftest import Browser


@pytest.fixture
def doubts(database: Database) -> int:
    """The id of a session with twelve faces that are not alike enough, and a stranger."""
    with database.writing() as writing:
        add_accounts(writing)
    return class_in_doubt(database)


@pytest.fixture
def other_browser(app: Flask) -> Browser:
    return Browser(app.test_client())


def session_lines(database: Database, session_id: int) -> tuple[ReviewLine, ...]:
    with database.reading() as reading:
        return session_report(reading, session_id).reviews


def reviews(database: Database, session_id: int) -> dict[str, ReviewLine]:
    """By the first name of whom they suspect."""
    found = session_lines(database, session_id)
    return {(one.student_name or one.kind).split()[0]: one for one in found}


def text_of(answer: TestResponse) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def waiting(answer: TestResponse) -> list[str]:
    return [unescape(one) for one in re.findall(r'<span class="about">([^<]+?)\s*<', answer.text)]


def heading(answer: TestResponse) -> str:
    found = re.search(r'<h2 id="doubt"[^>]*>([^<]+)<', answer.text)
    assert found is not None
    return unescape(found[1])


def form(answer: TestResponse, which: str = "answer") -> dict[str, str]:
    """The address of a form and its hidden fields."""
    mark = '<form class="answer"' if which == "answer" else '<form method="post" action="/reviews/confirm"'
    text = answer.text[answer.text.index(mark) :]
    text = text[: text.index("</form>")]
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', text))
    action = re.search(r'action="([^"]+)"', text)
    assert action is not None
    return {"": action[1]} | {name: unescape(value) for name, value in fields.items()}


def send(browser: Browser, page: TestResponse, answer: str, **values: str) -> TestResponse:
    fields = form(page)
    path = fields.pop("")
    return browser.client.post(path, data=fields | {"answer": answer} | values, buffered=True)


def confirm(browser: Browser, page: TestResponse, *names: str, **values: str) -> TestResponse:
    """Tick those whose names begin so, and confirm them."""
    fields = form(page, "bulk")
    path = fields.pop("")
    ticks = {
        unescape(name): unescape(tick)
        for tick, name in re.findall(
            r'name="tick" value="([^"]+)"[^>]*>\s*<span[^>]*>Tick ([^,]+),', page.text
        )
    }
    chosen = [tick for name, tick in ticks.items() if name.startswith(names)]
    return browser.client.post(path, data=fields | {"tick": chosen} | values, buffered=True)


def test_the_queue_shows_the_oldest_first_with_all_it_takes_to_decide(browser: Browser, doubts: int) -> None:
    browser.sign_in(INSTRUCTOR)
    page = browser.get("/reviews")
    assert waiting(page)[:3] == ["Ada Adams", "Ben Brown", "Chiara Conti"]
    assert waiting(page)[-1] == "Unknown face"
    assert (
        heading(page) == "At 09:00:00 there was a face most like Ada Adams, but not alike enough to say so."
    )
    text = text_of(page)
    for expected in (
        "13 open",
        "80.0 % a name takes 90.0 %",
        "14 of 14 looks, 09:00:00 to 09:32:00",
        "Ada Adams 2026-1001 Unverified",
        "Ada Adams counts as seen in this tile, whatever later looks say.",
        "MATH-101, Mon 2 Mar 2026, 09:00 CET",
        "What the engine said 1 time",
        "No picture of this face is kept.",
        "No photograph is kept.",
    ):
        assert expected in text


def test_the_most_certain_come_first_where_that_is_asked_for(browser: Browser, doubts: int) -> None:
    browser.sign_in(STAFF)
    page = browser.get("/reviews?order=certain")
    assert waiting(page)[:2] == ["Léa Lefèvre", "Keiko Kobayashi"]
    assert waiting(page)[-1] == "Unknown face"
    assert form(page)["order"] == "certain"


def test_the_queue_is_sieved_by_course_kind_and_session(
    browser: Browser, database: Database, doubts: int
) -> None:
    later = class_in_doubt(database, START + timedelta(days=7), "Week 6: more", students=3)
    browser.sign_in(STAFF)
    assert len(waiting(browser.get("/reviews"))) == 17
    assert len(waiting(browser.get(f"/reviews?course={COURSE}"))) == 17
    assert "Week 6: more (4)" in browser.get(f"/reviews?course={COURSE}").text
    assert len(waiting(browser.get(f"/reviews?session={later}"))) == 4
    assert waiting(browser.get("/reviews?kind=unknown_face")) == ["Unknown face", "Unknown face"]
    nothing = browser.get(f"/reviews?course={OTHER_COURSE}")
    assert "Nothing is open here" in nothing.text
    assert 'value="CHEM-7" selected' in nothing.text
    assert waiting(browser.get("/reviews?session=99999999999999999999&page=x&kind=")) != []


@pytest.mark.parametrize(
    ("answer", "values", "state", "outcome"),
    [
        ("is:2026-1001", {}, "confirmed", "It is Ada Adams."),
        ("other", {"student_no": "2026-1005"}, "reassigned", "It is Elif Erdoğan."),
        ("not:2026-1001", {"reason": "older"}, "not_this_person", "It is not Ada Adams."),
        ("guest", {"guest": "Dr. Cid"}, "guest", "A guest, Dr. Cid."),
        ("dismiss", {}, "dismissed", "Dismissed: what Gridroll said stands."),
    ],
)
def test_each_answer_leads_to_the_next_review_and_back(
    browser: Browser,
    database: Database,
    doubts: int,
    answer: str,
    values: dict[str, str],
    state: str,
    outcome: str,
) -> None:
    browser.sign_in(INSTRUCTOR)
    sent = send(browser, browser.get("/reviews?kind=low_similarity"), answer, **values)
    assert sent.status_code == 302
    page = browser.get(sent.location)
    assert "Ben Brown" in heading(page)
    assert waiting(page)[0] == "Ben Brown"
    assert f"Ada Adams, 09:00:00: {outcome}" in text_of(page)
    settled = reviews(database, doubts)["Ada"]
    assert (settled.state, settled.settled_by, settled.reason) == (
        state,
        INSTRUCTOR,
        values.get("reason", ""),
    )

    back = re.search(r'data-key="u"[^>]* href="([^"]+)"', page.text)
    assert back is not None
    again = browser.get(unescape(back[1]))
    assert "Ada Adams" in heading(again)
    assert f"{outcome} {INSTRUCTOR}, " in text_of(again)
    assert send(browser, again, "dismiss").status_code == 302
    assert reviews(database, doubts)["Ada"].state == "dismissed"


def test_an_answer_leads_to_the_one_after_it_and_not_to_the_first(browser: Browser, doubts: int) -> None:
    browser.sign_in(STAFF)
    page = browser.get("/reviews?review=3")
    assert "Chiara" in heading(page)
    after = browser.get(send(browser, page, "dismiss").location)
    assert "Dmitri" in heading(after)
    last = browser.get(f"/reviews?review={13}")
    assert "matches nobody" in heading(last)
    assert "Ada" in heading(browser.get(send(browser, last, "not:").location))


def test_what_is_no_answer_comes_back_with_one_line_and_all_that_was_typed(
    browser: Browser, database: Database, doubts: int
) -> None:
    browser.sign_in(STAFF)
    page = browser.get("/reviews?kind=low_similarity")
    for answer, values, line in [
        ("guest", {}, "Give the guest a name, then send it again."),
        ("other", {}, "Choose who it is, then send it again."),
        ("other", {"student_no": "Ben"}, "Choose a student of this course."),
        ("hire", {}, "Choose one of the answers."),
    ]:
        refused = send(browser, page, answer, reason="because", **values)
        assert refused.status_code == 400
        assert line in text_of(refused)
        assert 'value="because"' in refused.text
        assert f'data-typed="{values.get("student_no", "")}"' in refused.text
        assert form(refused)["kind"] == "low_similarity"
    assert reviews(database, doubts)["Ada"].state == "open"


def test_the_second_of_two_is_told_who_was_faster_and_may_outvote_them(
    browser: Browser, other_browser: Browser, database: Database, doubts: int
) -> None:
    browser.sign_in(STAFF)
    other_browser.sign_in(ADMIN)
    page = browser.get("/reviews")
    assert send(other_browser, other_browser.get("/reviews"), "dismiss", reason="seen").status_code == 302
    late = send(browser, page, "is:2026-1001", reason="I know her")
    assert late.status_code == 409
    assert "Somebody else was faster. Dismissed: what Gridroll said stands. admin@example.edu" in text_of(
        late
    )
    assert 'value="I know her"' in late.text
    assert send(browser, late, "is:2026-1001", reason="I know her").status_code == 302
    settled = reviews(database, doubts)["Ada"]
    assert (settled.state, settled.settled_by) == ("confirmed", STAFF)


def test_where_somebody_else_settled_the_next_one_the_first_open_one_follows(
    browser: Browser, other_browser: Browser, doubts: int
) -> None:
    browser.sign_in(STAFF)
    other_browser.sign_in(ADMIN)
    page = browser.get("/reviews")
    following = form(page)["next"]
    theirs = other_browser.get(f"/reviews?review={following}")
    assert "Ben Brown" in heading(theirs)
    assert send(other_browser, theirs, "dismiss").status_code == 302
    answer = send(browser, page, "dismiss")
    assert answer.status_code == 302
    shown = browser.get(answer.headers["Location"])
    assert "Chiara Conti" in heading(shown)
    # Who asks for that one by its address still reads how it was settled.
    assert "Ben Brown" in heading(browser.get(f"/reviews?review={following}"))


def test_a_doubt_that_cleared_up_meanwhile_is_said_to_have_and_the_next_is_shown(
    browser: Browser, database: Database, doubts: int
) -> None:
    browser.sign_in(STAFF)
    page = browser.get("/reviews")
    with database.writing() as writing:
        writing.delete(writing.get_one(ReviewRow, reviews(database, doubts)["Ada"].id))
    answer = send(browser, page, "dismiss")
    assert answer.status_code == 409
    assert "Nothing left to settle there" in answer.text
    assert "Ben Brown" in heading(answer)


def test_those_ticked_are_confirmed_at_once_with_one_reason_and_their_session_folded_once(
    browser: Browser, database: Database, doubts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds: list[int] = []

    def counted(session: Session, row: SessionRow) -> Ledger:
        folds.append(row.id)
        return refold(session, row)

    monkeypatch.setattr("recognizer.judging.refold", counted)
    browser.sign_in(STAFF)
    sent = confirm(browser, browser.get("/reviews"), "Ada", "Ben", "Elif", reason="I saw them")
    assert (sent.status_code, sent.location) == (302, "/reviews")
    assert "3 reviews are confirmed." in browser.get("/reviews").text
    assert folds == [doubts]
    found = reviews(database, doubts)
    assert {name for name, one in found.items() if one.state == "confirmed"} == {"Ada", "Ben", "Elif"}
    assert {one.reason for one in found.values() if one.is_settled} == {"I saw them"}
    with database.reading() as reading:
        noted = select(func.count()).where(AuditRow.action == "review.settled", AuditRow.actor == STAFF)
        assert reading.scalar(noted) == 3
        statuses = dict(
            reading.execute(
                select(Student.name, AttendanceRow.status).join(
                    Student, Student.id == AttendanceRow.student_id
                )
            ).all()
        )
    assert (statuses["Ada Adams"], statuses["Chiara Conti"]) == ("present", "unverified")


def test_of_those_ticked_the_ones_that_others_settled_are_named_and_the_rest_confirmed(
    browser: Browser, other_browser: Browser, database: Database, doubts: int
) -> None:
    browser.sign_in(STAFF)
    other_browser.sign_in(ADMIN)
    page = browser.get("/reviews")
    send(other_browser, other_browser.get("/reviews"), "not:2026-1001")
    with database.writing() as writing:
        writing.delete(writing.get_one(ReviewRow, reviews(database, doubts)["Chiara"].id))
    sent = confirm(browser, page, "Ada", "Ben", "Chiara")
    assert sent.status_code == 409
    text = text_of(sent)
    assert "1 review is confirmed." in text
    assert "Ada Adams, Week 5: doubts, 09:00:00 : It is not Ada Adams. admin@example.edu" in text
    assert "1 doubt had cleared up before your answer arrived." in text
    found = reviews(database, doubts)
    assert (found["Ada"].state, found["Ben"].state) == ("not_this_person", "confirmed")


def test_ticks_that_say_nothing_or_too_much_are_refused_and_kept(browser: Browser, doubts: int) -> None:
    browser.sign_in(STAFF)
    page = browser.get("/reviews")
    nothing = confirm(browser, page, "Zoe")
    assert nothing.status_code == 400
    assert "Tick the reviews that are right, then confirm them." in text_of(nothing)
    long = confirm(browser, page, "Ada", reason="x" * 2001)
    assert long.status_code == 400
    assert "The reason has 2001 characters; at most 2000 fit." in text_of(long)
    assert len(re.findall(r'name="tick" value="[^"]+" checked', long.text)) == 1


def test_only_where_one_student_is_suspected_can_be_ticked() -> None:
    low = ReviewLine("low_similarity", "S-1", "Ada", START, "open")
    margin = ReviewLine("small_margin", "S-1", "Ada", START, "open", rival_name="Ben", rival_no="S-2")
    unknown = ReviewLine("unknown_face", None, None, START, "open")
    heads = ReviewLine("headcount", None, None, START, "open")
    settled = ReviewLine("low_similarity", "S-1", "Ada", START, "dismissed")
    assert [suspects_one(one) for one in (low, margin, unknown, heads, settled)] == [
        *(True, False, False, False, False)
    ]
    assert [offer.key for offer in offers(margin)] == ["c", "o", "n", "d"]
    assert [offer.key for offer in offers(heads)] == ["c", "d"]
    assert all(offer.effect for one in (low, margin, unknown, heads) for offer in offers(one))


def test_nobody_reaches_the_reviews_of_other_courses(
    browser: Browser, other_browser: Browser, database: Database, doubts: int
) -> None:
    browser.sign_in(OTHER_INSTRUCTOR)
    for path in ("/reviews", "/reviews?review=1", f"/reviews?session={doubts}", "/reviews?settled=1"):
        page = browser.get(path)
        assert page.status_code == 200
        assert "Ada" not in page.text
    assert "Nothing is in doubt" in browser.get("/reviews").text
    other_browser.sign_in(STAFF)
    theirs = other_browser.get("/reviews")
    tick = re.search(r'name="tick" value="([^"]+)"', theirs.text)
    assert tick is not None
    token = browser.token("/reviews")
    sent = browser.client.post(
        "/reviews/confirm", data={"csrf_token": token, "tick": unescape(tick[1])}, buffered=True
    )
    gone = browser.client.post(
        "/reviews/confirm", data={"csrf_token": token, "tick": "999 open"}, buffered=True
    )
    assert (sent.status_code, gone.status_code) == (409, 409)
    assert re.sub(r'value="[^"]*"', "", sent.text) == re.sub(r'value="[^"]*"', "", gone.text)
    assert reviews(database, doubts)["Ada"].state == "open"


def test_a_review_is_not_answered_under_another_session(
    browser: Browser, database: Database, doubts: int
) -> None:
    with database.writing() as writing:
        own = start_session(writing, OTHER_COURSE, "", START, 45).id
    browser.sign_in(OTHER_INSTRUCTOR)
    token = browser.token("/reviews")
    sent = browser.client.post(
        f"/sessions/{own}/reviews/1/answer", data={"csrf_token": token, "answer": "dismiss"}, buffered=True
    )
    assert sent.status_code == 409
    assert "Nothing left to settle there" in sent.text
    assert reviews(database, doubts)["Ada"].state == "open"


def test_what_a_student_disputes_is_answered_in_words(
    browser: Browser, database: Database, doubts: int
) -> None:
    with database.writing() as writing:
        make_dispute(writing, doubts, 1, "I was there\nall the time", STUDENT_A)
    browser.sign_in(INSTRUCTOR)
    page = browser.get(f"/reviews?session={doubts}&kind=dispute")
    assert "I was there\nall the time</blockquote>" in page.text
    assert "Another student" not in page.text
    assert 'name="tick"' not in page.text
    assert re.findall(r'name="answer" value="(\w+)" data-key="(\w)"', page.text) == [
        ("accept", "c"),
        ("decline", "n"),
    ]
    refused = send(browser, page, "accept")
    assert refused.status_code == 400
    assert "Write an answer, the student reads it; then send it again." in text_of(refused)
    assert send(browser, page, "decline", reason="The camera was off").status_code == 302
    found = next(one for one in session_lines(database, doubts) if one.kind == "dispute")
    assert (found.state, found.reason, found.settled_by) == ("not_accepted", "The camera was off", INSTRUCTOR)


def test_names_are_found_by_their_beginnings_and_by_number(browser: Browser, doubts: int) -> None:
    browser.sign_in(INSTRUCTOR)

    def found(typed: str) -> list[str]:
        answer = browser.client.get(f"/sessions/{doubts}/roster.json", query_string={"q": typed})
        return [one["name"].split()[0] for one in answer.get_json()]

    assert found("lefevre") == ["Léa"]
    assert found("b") == ["Ben"]
    assert found("ke ko") == ["Keiko"]
    assert found("1007") == ["Goran"]
    assert found("erdogan elif") == ["Elif"]
    assert found("zz") == []
    assert len(found("")) == 10


def test_the_crops_stand_beside_the_photographs(browser: Browser, database: Database, doubts: int) -> None:
    now = datetime.now(UTC)
    with database.writing() as writing:
        writing.add(BlobRow(digest="0" * 64, key_id="k", claimed_at=now))
        writing.flush()
        looks = select(SightingRow.look_id).join(LookRow, LookRow.id == SightingRow.look_id)
        for look in writing.scalars(looks.where(SightingRow.track == "t00")).all():
            kept = {"digest": "0" * 64, "bytes": 9}
            writing.add(EvidenceRow(session_id=doubts, look_id=look, track="t00", keep_until=now, **kept))
        writing.add(PhotoRow(student_id=1, digest="0" * 64, bytes=9, added_at=now, added_by="x"))
    browser.sign_in(INSTRUCTOR)
    page = browser.get("/reviews").text
    assert (
        len(re.findall(r'<img src="/sessions/1/evidence/\d+\.jpg" alt="The face in the tile at', page)) == 3
    )
    assert page.count('<img src="/students/2026-1001/photos/1.jpg?size=medium"') == 1
    assert "No photograph is kept." in browser.get("/reviews?review=2").text


def test_a_page_takes_few_statements_however_many_reviews_are_open(
    browser: Browser, database: Database, doubts: int
) -> None:
    with database.writing() as writing:
        meetings = [start_session(writing, COURSE, f"Week {week}", START, 45).id for week in range(10)]
        for number in range(500):
            at = START + timedelta(hours=1, seconds=number)
            meeting = meetings[number % 10]
            about = {"session_id": meeting, "kind": "low_similarity", "subject": f"x{number}", "at": at}
            writing.add(ReviewRow(student_id=1 + number % 12, state="open", **about))
    browser.sign_in(INSTRUCTOR)
    statements: list[str] = []
    event.listen(
        database.engine, "before_cursor_execute", lambda *args: statements.append(args[2].split()[0])
    )
    guest = browser.get("/reviews")
    settled = send(browser, guest, "guest", guest="Dr. Cid").location
    paths = (
        "/reviews",
        f"/reviews?course={COURSE}&kind=low_similarity&page=3",
        f"/reviews?course={COURSE}&order=certain&page=2",
        f"/reviews?session={meetings[0]}",
        settled + f"&course={COURSE}",
    )
    for path in paths:
        statements.clear()
        page = browser.get(path)
        counted = [word for word in statements if word not in {"BEGIN", "SET"}]
        assert len(counted) <= 12, (path, counted)
        assert page.status_code == 200
        assert len(waiting(page)) == 50
    assert "Page 3 of 11" in browser.get(paths[1]).text
    assert "Page 2 of 3" in browser.get(paths[2]).text
    behind = browser.get("/reviews?page=99&kind=low_similarity")
    assert (behind.status_code, behind.location) == (302, "/reviews?kind=low_similarity")


def test_a_session_leads_to_its_part_of_the_queue(browser: Browser, doubts: int) -> None:
    browser.sign_in(INSTRUCTOR)
    page = browser.get(f"/sessions/{doubts}").text
    assert f'href="/reviews?session={doubts}"' in page
    assert 'id="reviews"' in page


def test_a_place_in_the_queue_is_carried_by_addresses() -> None:
    place = Place("BIO", "loop", 7, "certain", 2)
    carried = {name: str(value) for name, value in place.query().items()}
    assert place_of(carried) == place
    assert Place().query(review=None) == {}
    assert place_of({"session": "-1", "page": "0", "order": "up"}) == Place()
    assert [Place().pages(count) for count in (0, 1, 50, 51)] == [1, 1, 1, 2]
    assert Place(order="certain").pages(10_000) == 3
