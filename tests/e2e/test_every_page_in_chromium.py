"""Every page of the portal in a real browser: no fault of accessibility, nothing in the console, nothing too wide.

Which pages there are, and who sees them, is what the table of access says: a new page is tried without a word here.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from db.database import make_database
from db.settings import Settings
from portal.app import create_app
from tests.e2e.browsing import fits, served, visiting
from tests.portal.cast import ADMIN, STUDENT_A, class_of_two
from tests.portal.test_access import TABLE

VIEWERS: dict[str, str | None] = {"nobody": None, "student": STUDENT_A, "admin": ADMIN}
GRAVE = {"serious", "critical"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a portal with what the table of access speaks of."""
    home = tmp_path_factory.mktemp("portal")
    settings = Settings(home=home)
    database = make_database(settings.resolved_database_url)
    class_of_two(database)
    with served(create_app(settings, database)) as url:
        yield url
    database.close()
    shutil.rmtree(home)


def pages(viewer: str) -> list[str]:
    """The addresses whose pages this viewer sees."""
    return [row.path for row in TABLE.values() if " " not in row.path and getattr(row, viewer) == 200]


@pytest.mark.parametrize("viewer", VIEWERS)
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_every_page_is_open_to_everybody_who_may_see_it(
    chromium: Browser, url: str, viewer: str, width: int, scheme: str
) -> None:
    faults: list[str] = []
    looked_at = 0
    with visiting(chromium, url, width, scheme, VIEWERS[viewer]) as (page, console):
        for path in pages(viewer):
            answer = page.request.head(path)
            if not answer.headers.get("content-type", "").startswith("text/html"):
                continue
            page.goto(path)
            looked_at += 1
            faults += [f"{path}: {line}" for line in console.take()]
            if not fits(page):
                faults.append(f"{path} is wider than {width} pixels: {widest(page)}")
            faults += [f"{path}, {scheme}: {line}" for line in accessibility(page)]
            # The other theme differs in colours only.
            page.emulate_media(color_scheme="light" if scheme == "dark" else "dark")
            faults += [f"{path}, not {scheme}: {line}" for line in accessibility(page, ["color-contrast"])]
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    assert looked_at
    assert not faults, "\n".join(faults)


def accessibility(page: Page, rules: list[str] | None = None) -> list[str]:
    """The grave faults that axe-core finds, of these rules or of all."""
    options: dict[str, object] = {"resultTypes": ["violations"]}
    if rules is not None:
        options["runOnly"] = {"type": "rule", "values": rules}
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{fault['id']}: {fault['help']}: {node['html'][:160]}"
        for fault in found
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    ]


def widest(page: Page) -> str:
    """What sticks out to the right."""
    found: str = page.evaluate(
        """() => [...document.querySelectorAll("main *, header *")]
          .filter((one) => one.getBoundingClientRect().right > window.innerWidth + 1 && !one.closest(".scroll"))
          .slice(0, 3).map((one) => one.outerHTML.slice(0, 120)).join(" | ")"""
    )
    return found


def test_the_harness_finds_a_page_that_nobody_can_read(tmp_path: Path, chromium: Browser) -> None:
    settings = Settings(home=tmp_path)
    database = make_database(settings.resolved_database_url)
    app = create_app(settings, database)
    view = app.view_functions["login.form"]

    def spoilt() -> str:
        return "<html lang=en><title>x</title><main style='width: 2000px'><img src=/nothing.png><p style='color: #ddd'>pale"

    spoilt.__dict__.update(view.__dict__)
    app.view_functions["login.form"] = spoilt
    with served(app) as url, visiting(chromium, url, 390, "light") as (page, console):
        page.goto("/login")
        assert {line.partition(":")[0] for line in accessibility(page)} >= {"image-alt"}
        assert any("Content Security Policy" in line for line in console.take())
    database.close()
