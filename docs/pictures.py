"""`make docs`: runs the demo, fills a term besides, and takes the pictures that the README and the guides show."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
from flask import Flask
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import func, select

from db.accounts import add_user
from db.database import Database, make_database, open_database
from db.people import find_course
from db.schema import NamingRow
from db.settings import Settings
from demo.cast import CAST
from portal.app import create_app
from portal.desk import desk_of, put_desk
from portal.passwords import hash_password
from tests.e2e.browsing import served, sign_in
from tests.portal.cast import COURSE, START, class_of_sixteen

PICTURES = Path(__file__).parent / "pictures"
ROOT = Path(__file__).parents[1]
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
STAFF, STUDENT, PASSWORD = "staff@campus.example", CAST[5].email, "only-for-these-pictures"
IN_TERM = "goran@example.edu"
WIDE, PHONE = (1440, 900), (390, 844)
WEEKS = 8


def main() -> None:
    """Run the demo in a folder of its own and photograph what it leaves; then the pages that need a term."""
    PICTURES.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="gridroll-docs-") as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        _lesson(browser, Path(name))
        _term(browser, Path(name) / "term")
        browser.close()


def _lesson(browser: Browser, folder: Path) -> None:
    run = [sys.executable, str(ROOT / "gridroll.py"), "demo", "--no-serve"]
    environment = {"GRIDROLL_HOME": str(folder), "PATH": "/usr/bin:/bin:/usr/sbin"}
    subprocess.run(run, env=environment, cwd=ROOT, check=True)
    home = folder / "demo"
    _preview(home / "preview.png")
    shutil.copy(home / "timeline.svg", PICTURES / "timeline.svg")
    settings = Settings(home=home, database_url="", cache_url="")
    with closing(open_database(settings.resolved_database_url)) as database:
        _accounts(database, STUDENT)
        with database.reading() as session:
            asked = func.count(NamingRow.id)
            query = (
                select(NamingRow.look_id)
                .group_by(NamingRow.look_id)
                .order_by(asked.desc(), NamingRow.look_id)
            )
            look = session.scalars(query.limit(1)).one()
        with served(create_app(settings, database)) as url:
            entry = f"/sessions/1/entries/{CAST[5].student_no}"
            for theme in ("light", "dark"):
                pages = [("session", "/sessions/1"), ("reviews", "/reviews")]
                _shoot(browser, url, STAFF, pages, WIDE, theme)
            _shoot(
                browser, url, STAFF, [("look", f"/sessions/1/looks/{look}"), ("entry", entry)], WIDE, "light"
            )
            _shoot(browser, url, STUDENT, [("evidence", "/me/sessions/1")], WIDE, "light")
            _shoot(browser, url, STUDENT, [("student", "/me")], PHONE, "light")


def _term(browser: Browser, home: Path) -> None:
    home.mkdir()
    settings = Settings(home=home)
    with closing(make_database(settings.resolved_database_url)) as database:
        for week in range(WEEKS):
            class_of_sixteen(database, START + timedelta(weeks=week), f"Week {week + 1}", looks=30, seed=week)
        with database.writing() as session:
            find_course(session, COURSE).attendance_limit = 0.75
        _accounts(database, IN_TERM)
        app = create_app(settings, database)
        _stop_the_clock(app, START + timedelta(weeks=WEEKS - 1, minutes=44))
        with served(app) as url:
            pages = [("today", "/today"), ("report", f"/reports/{COURSE}"), ("course", f"/courses/{COURSE}")]
            pages += [("history", "/history"), ("settings", "/admin/settings"), ("api", "/api/v1/docs")]
            _shoot(browser, url, STAFF, pages, WIDE, "light")
            _shoot(browser, url, IN_TERM, [("term", "/me")], WIDE, "dark")
            _shoot(browser, url, STAFF, [("reviews-phone", "/reviews")], PHONE, "dark")


def _stop_the_clock(app: Flask, at: datetime) -> None:
    """Pages then say the same whenever the pictures are taken."""
    put_desk(app, replace(desk_of(app), now=lambda: at))


def _accounts(database: Database, student: str) -> None:
    with database.writing() as session:
        for email, role in ((STAFF, "admin"), (student, "student")):
            add_user(session, email, role, hash_password(PASSWORD))


def _preview(path: Path) -> None:
    picture = cv2.imread(str(path))
    if picture is None:
        raise SystemExit(f"the demo left no preview at {path}")
    cv2.imwrite(str(PICTURES / "preview.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 85])


def _shoot(
    browser: Browser,
    url: str,
    email: str,
    pages: Sequence[tuple[str, str]],
    size: tuple[int, int],
    theme: str,
) -> None:
    """Take the top of each page, as this user sees it; dark ones are named so."""
    width, height = size
    page = browser.new_page(
        base_url=url,
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
    )
    sign_in(page, email, PASSWORD)
    for name, path in pages:
        page.goto(path)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=PICTURES / f"{name}{'-dark' if theme == 'dark' else ''}.png", full_page=False)
    page.close()


if __name__ == "__main__":
    main()
