"""`make docs`: runs the demo and takes the pictures that the README and the guides show."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
from playwright.sync_api import Page, sync_playwright

from db.accounts import add_user
from db.database import open_database
from db.settings import Settings
from demo.cast import CAST
from portal.app import create_app
from portal.passwords import hash_password
from portal.server import make_server

PICTURES = Path(__file__).parent / "pictures"
ROOT = Path(__file__).parents[1]
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
STAFF, STUDENT, PASSWORD = "staff@campus.example", CAST[5].email, "only-for-these-pictures"
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def main() -> None:
    """Run the demo in a folder of its own and photograph what it leaves."""
    with TemporaryDirectory(prefix="gridroll-docs-") as name:
        run = [sys.executable, str(ROOT / "gridroll.py"), "demo", "--no-serve"]
        subprocess.run(
            run, env={"GRIDROLL_HOME": name, "PATH": "/usr/bin:/bin:/usr/sbin"}, cwd=ROOT, check=True
        )
        home = Path(name) / "demo"
        PICTURES.mkdir(exist_ok=True)
        _preview(home / "preview.png")
        shutil.copy(home / "timeline.svg", PICTURES / "timeline.svg")
        _portal(home)


def _preview(path: Path) -> None:
    picture = cv2.imread(str(path))
    if picture is None:
        raise SystemExit(f"the demo left no preview at {path}")
    cv2.imwrite(str(PICTURES / "preview.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 85])


def _portal(home: Path) -> None:
    settings = Settings(home=home, database_url="", cache_url="")
    database = open_database(settings.resolved_database_url)
    with database.writing() as session:
        for email, role in ((STAFF, "admin"), (STUDENT, "student")):
            add_user(session, email, role, hash_password(PASSWORD))
    server = make_server(create_app(settings, database), "127.0.0.1", 0)
    serving = threading.Thread(target=server.serve)
    serving.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            for theme in ("light", "dark"):
                wide = browser.new_page(viewport=WIDE, color_scheme=theme)
                _sign_in(wide, server.url, STAFF)
                wide.goto(f"{server.url}/sessions")
                _shoot(wide, f"portal-sessions-{theme}")
                wide.goto(f"{server.url}/sessions/1")
                _shoot(wide, f"portal-session-{theme}")
                wide.close()
            phone = browser.new_page(viewport=PHONE, color_scheme="light")
            _sign_in(phone, server.url, STUDENT)
            _shoot(phone, "portal-student-phone")
            browser.close()
    finally:
        server.stop()
        serving.join()
        database.close()


def _sign_in(page: Page, url: str, email: str) -> None:
    page.goto(f"{url}/login")
    page.fill("input[name=email]", email)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_load_state("networkidle")


def _shoot(page: Page, name: str) -> None:
    page.screenshot(path=PICTURES / f"{name}.png", full_page=False)


if __name__ == "__main__":
    main()
