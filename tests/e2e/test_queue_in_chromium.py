"""The review queue in a real browser: ten reviews settled by keyboard on a screen, and by taps on a phone."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from db.database import Database, make_database
from db.report import session_report
from db.settings import Settings
from portal.app import create_app
from tests.e2e.browsing import Console, accessibility, fits, served, sign_in
from tests.portal.cast import INSTRUCTOR, START, add_accounts, class_in_doubt

SCREEN, PHONE, NARROW, TYPED = 1, 2, 3, 4
"""The sessions that are settled on each."""

ROSTER = re.compile(r"/roster\.json")


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Database]]:
    settings = Settings(home=tmp_path_factory.mktemp("portal"))
    database = make_database(settings.resolved_database_url)
    class_in_doubt(database)
    class_in_doubt(database, START + timedelta(days=7), "Week 6: more doubts")
    class_in_doubt(database, START + timedelta(days=14), "Week 7: as many")
    class_in_doubt(database, START + timedelta(days=21), "Week 8: names in haste")
    with database.writing() as writing:
        add_accounts(writing)
    with served(create_app(settings, database)) as url:
        yield url, database
    database.close()


@contextmanager
def visit(chromium: Browser, url: str, width: int, scheme: str, *, touch: bool = False) -> Iterator[Page]:
    """An instructor's page; in the end its console has nothing to say."""
    context = chromium.new_context(
        base_url=url,
        viewport={"width": width, "height": 844},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        has_touch=touch,
    )
    page = context.new_page()
    console = Console(page)
    sign_in(page, INSTRUCTOR)
    yield page
    # That somebody else was faster is an answer with 409, which Chromium tells of.
    assert [line for line in console.take() if "409" not in line] == []
    context.close()


def about(page: Page, name: str) -> None:
    """Whom the review in focus is about."""
    expect(page.locator("#doubt")).to_contain_text(name)


def said(page: Page, outcome: str) -> None:
    """What readers of screens hear."""
    expect(page.locator("#outcome")).to_contain_text(outcome)


def states(database: Database, session_id: int) -> dict[str, str]:
    with database.reading() as reading:
        found = session_report(reading, session_id).reviews
    return {(one.student_name or one.kind).split()[0]: one.state for one in found}


def test_a_list_of_an_earlier_text_is_not_taken(chromium: Browser, portal: tuple[str, Database]) -> None:
    url, database = portal
    with visit(chromium, url, 1440, "light") as page:
        page.goto(f"/reviews?session={TYPED}")
        about(page, "Ada Adams")
        page.keyboard.press("r")
        page.keyboard.type("C")
        students = page.get_by_role("listbox", name="Students").get_by_role("option")
        first = students.first
        expect(first).to_have_attribute("aria-selected", "true")
        expect(first).to_contain_text("Chiara Conti")
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route(ROSTER, hold)
        page.keyboard.press("Backspace")
        page.keyboard.type("jard")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        box = page.get_by_role("combobox", name="Another student")
        page.wait_for_timeout(300)
        expect(box).to_have_value("jard")
        expect(students).to_have_count(0)
        about(page, "Ada Adams")
        held[-1].continue_()
        expect(box).to_have_value("João Jardim (2026-1010)")
        about(page, "Ada Adams")
        page.keyboard.press("Enter")
        said(page, "It is João Jardim.")
    assert states(database, TYPED)["Ada"] == "reassigned"


@pytest.mark.parametrize("pause_ms", [0, 60, 90])
def test_enter_after_a_whole_name_takes_it_and_sends_no_text(
    chromium: Browser, portal: tuple[str, Database], pause_ms: int
) -> None:
    url, _ = portal
    with visit(chromium, url, 1440, "light") as page:
        page.goto(f"/reviews?session={TYPED}")
        asked_of = page.locator("#doubt").inner_text()
        page.keyboard.press("r")
        page.keyboard.type("Goran Grgić", delay=pause_ms)
        page.keyboard.press("Enter")
        box = page.get_by_role("combobox", name="Another student")
        expect(box).to_have_value("Goran Grgić (2026-1007)")
        expect(page.get_by_role("alert")).to_have_count(0)
        assert page.locator("#doubt").inner_text() == asked_of
        # What was taken and then typed over is text again; nobody is called so, and Enter stays where it is.
        box.fill("Goran Nobody")
        page.keyboard.press("Enter")
        nobody = page.get_by_role("listbox", name="Students").get_by_role("option")
        expect(nobody).to_have_text("Nobody of this course is called so")
        page.keyboard.press("Enter")
        page.wait_for_timeout(200)
        expect(page.get_by_role("alert")).to_have_count(0)
        assert page.locator("#doubt").inner_text() == asked_of


def test_without_the_names_a_whole_number_can_be_sent(
    chromium: Browser, portal: tuple[str, Database]
) -> None:
    url, _ = portal
    with visit(chromium, url, 1440, "light") as page:
        page.goto(f"/reviews?session={TYPED}")
        page.route(ROSTER, lambda route: route.abort("aborted"))
        page.keyboard.press("r")
        page.keyboard.type("2026-1005")
        page.keyboard.press("Enter")
        expect(page.get_by_text("The names cannot be loaded.")).to_be_attached()
        page.keyboard.press("Enter")
        said(page, "It is Elif Erdoğan.")


@pytest.mark.parametrize(("width", "scheme", "meeting"), [(1440, "light", SCREEN), (390, "dark", NARROW)])
def test_ten_reviews_are_settled_by_keyboard(
    chromium: Browser, portal: tuple[str, Database], width: int, scheme: str, meeting: int
) -> None:
    url, database = portal
    with visit(chromium, url, width, scheme) as page:
        page.goto(f"/sessions/{meeting}")
        page.get_by_role("link", name="Settle them one after another").click()
        expect(page).to_have_url(re.compile(rf"/reviews\?session={meeting}$"))
        assert fits(page)
        assert accessibility(page) == []
        press = page.keyboard.press

        # Two are ticked, with another one passed over and come back to; then both are confirmed at once.
        about(page, "Ada Adams")
        press("x")
        press("j")
        about(page, "Ben Brown")
        press("j")
        about(page, "Chiara Conti")
        press("x")
        press("k")
        about(page, "Ben Brown")
        expect(page.get_by_role("checkbox", checked=True, name=re.compile("Tick"))).to_have_count(2)
        page.get_by_role("button", name="Confirm the 2 ticked ones").click()
        said(page, "2 reviews are confirmed.")

        about(page, "Ben Brown")
        press("c")
        said(page, "It is Ben Brown.")
        about(page, "Dmitri")
        press("n")
        said(page, "It is not Dmitri Dvořák.")
        about(page, "Elif")
        press("d")
        said(page, "Dismissed")

        about(page, "Fatima")
        press("r")
        box = page.get_by_role("combobox", name="Another student")
        expect(box).to_be_focused()
        page.keyboard.type("jard")  # j, d and r are no keys while somebody types
        expect(page.get_by_role("option", name="João Jardim")).to_have_attribute("aria-selected", "true")
        assert accessibility(page) == []
        press("Enter")
        expect(box).to_have_value("João Jardim (2026-1010)")
        about(page, "Fatima")
        press("Enter")
        said(page, "It is João Jardim.")

        about(page, "Goran")
        press("g")
        page.keyboard.type("Dr. Cid")
        press("Enter")
        said(page, "A guest, Dr. Cid.")
        about(page, "Hannah")
        press("u")
        about(page, "Goran")
        expect(page.get_by_text("Another answer outranks this one.")).to_be_visible()
        press("c")
        said(page, "It is Goran Grgić.")

        about(page, "Hannah")
        page.get_by_label("Reason", exact=False).first.fill("certain")
        press("c")  # into the field: somebody types
        about(page, "Hannah")
        press("Escape")
        press("c")
        said(page, "It is Hannah Hoffmann.")
        about(page, "Ibrahim")
        press("c")
        said(page, "It is Ibrahim Issa.")

        keys = page.locator("#keys")
        if width < 640:  # where the list would stand between the answers and what waits
            expect(keys.get_by_text("dismiss")).to_be_hidden()
            press("?")
        expect(keys.get_by_text("dismiss")).to_be_visible()
        press("?")
        expect(keys.get_by_text("dismiss")).to_be_hidden()
        press("?")
        keys.get_by_label("Use these keys").uncheck()
        press("c")
        page.wait_for_timeout(300)
        about(page, "João")
        assert fits(page)
    found = states(database, meeting)
    assert {name for name, state in found.items() if state == "open"} == {
        "João",
        "Keiko",
        "Léa",
        "unknown_face",
    }
    expected = {"Ada": "confirmed", "Dmitri": "not_this_person", "Elif": "dismissed", "Fatima": "reassigned"}
    assert found | expected | {"Goran": "confirmed", "Hannah": "confirmed"} == found
    with database.reading() as reading:
        reasons = {one.student_name: one.reason for one in session_report(reading, meeting).reviews}
    assert reasons["Hannah Hoffmann"] == "certainc"


def test_ten_reviews_are_settled_by_taps_on_a_phone(chromium: Browser, portal: tuple[str, Database]) -> None:
    url, database = portal
    with (
        visit(chromium, url, 390, "dark", touch=True) as page,
        visit(chromium, url, 390, "light", touch=True) as other,
    ):
        page.goto(f"/reviews?session={PHONE}")
        assert fits(page)
        assert accessibility(page) == []
        expect(page.locator("kbd").first).to_be_hidden()
        for name in ("Ada Adams", "Ben Brown", "Chiara Conti", "Dmitri Dvořák"):
            page.get_by_role("button", name=f"It is {name}").tap()
            said(page, f"It is {name}.")
            expect(page.locator("#doubt")).to_be_in_viewport()
        about(page, "Elif")
        page.get_by_role("combobox", name="Another student").fill("1009")
        page.get_by_role("option", name="Ibrahim Issa").tap()
        page.get_by_role("button", name="It is this student").tap()
        said(page, "It is Ibrahim Issa.")
        about(page, "Fatima")
        page.get_by_role("button", name="Not Fatima").tap()
        said(page, "It is not Fatima Farouk.")
        page.get_by_label("A guest’s name").fill("Dr. Cid")
        page.get_by_role("button", name="It is this guest").tap()
        said(page, "A guest, Dr. Cid.")
        page.get_by_role("button", name="Dismiss").tap()
        said(page, "Dismissed")
        for name in ("Ibrahim", "João"):
            page.get_by_role("checkbox", name=f"Tick {name}").tap()
        page.get_by_role("button", name="Confirm the 2 ticked ones").tap()
        said(page, "2 reviews are confirmed.")
        assert fits(page)

        # Of two who settle the same one, the second is told; their page stays whole.
        other.goto(f"/reviews?session={PHONE}")
        other.get_by_role("button", name="Dismiss").tap()
        said(other, "Dismissed")
        page.get_by_role("button", name="It is Keiko Kobayashi").tap()
        expect(page.get_by_role("alert")).to_contain_text("You have answered already.")
        assert fits(page)
    assert list(states(database, PHONE).values()).count("open") == 2


def test_what_readers_of_screens_hear_is_of_the_review_that_is_open(
    chromium: Browser, portal: tuple[str, Database]
) -> None:
    url, _ = portal
    with visit(chromium, url, 1440, "light") as page:
        page.goto(f"/reviews?session={TYPED}")
        doubt, outcome = page.locator("#doubt"), page.locator("#outcome")
        first = doubt.inner_text()
        page.keyboard.press("o")
        said(page, "This review has no such answer.")
        page.keyboard.press("j")
        expect(doubt).not_to_have_text(first)
        expect(outcome).to_be_empty()
        second = doubt.inner_text()
        page.keyboard.press("d")
        said(page, "Dismissed")
        page.go_back()
        expect(doubt).to_have_text(second)
        expect(outcome).to_be_empty()
        page.keyboard.press("o")
        said(page, "This review has no such answer.")
        page.route(re.compile("/reviews"), lambda route: route.abort("aborted"))
        page.keyboard.press("j")
        expect(page.get_by_role("alert")).to_contain_text("The portal does not answer")
        expect(outcome).to_be_empty()


def test_with_nothing_waiting_a_key_says_that_there_is_no_review(chromium: Browser, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    database = make_database(settings.resolved_database_url)
    class_in_doubt(database, students=1)
    with database.writing() as writing:
        add_accounts(writing)
    with served(create_app(settings, database)) as url, visit(chromium, url, 1440, "light") as page:
        page.goto("/reviews")
        for _ in range(2):
            count = page.locator(".waiting li").count()
            page.keyboard.press("d")
            expect(page.locator(".waiting li")).to_have_count(count - 1)
        expect(page.get_by_role("heading", name="Nothing is in doubt")).to_be_visible()
        for key in "cx":
            page.keyboard.press(key)
            said(page, "There is no review to answer.")
        page.keyboard.press("u")
        expect(page.locator("#doubt")).to_be_visible()
        expect(page.locator("#outcome")).to_be_empty()
    database.close()


def test_without_javascript_each_answer_leads_to_the_next_all_the_same(
    chromium: Browser, portal: tuple[str, Database]
) -> None:
    url, _ = portal
    context = chromium.new_context(base_url=url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, INSTRUCTOR)
    page.goto("/reviews?kind=low_similarity")
    first = page.locator("#doubt").inner_text()
    page.get_by_label("Another student").select_option(index=1)
    page.get_by_role("button", name="It is this student").click()
    expect(page.locator(".settled-now")).to_contain_text("It is Ada Adams.")
    assert page.locator("#doubt").inner_text() != first
    expect(page.locator("#keys")).to_be_hidden()
    page.get_by_role("link", name="Answer again").click()
    expect(page.locator("#doubt")).to_have_text(first)
    context.close()
