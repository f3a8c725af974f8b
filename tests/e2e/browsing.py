"""A portal that runs, and somebody who visits it with a browser that tells what its console said."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page

from portal.app import close_app
from portal.server import make_server
from tests.portal.cast import PASSWORD

__all__ = ["Console", "accessibility", "faults", "fits", "served", "sign_in", "visiting"]

GRAVE = {"serious", "critical"}


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The address at which the portal answers while the block lasts."""
    server = make_server(app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server.url
    finally:
        server.stop()
        thread.join(10)
        close_app(app)
    assert not thread.is_alive()


class Console:
    """What a page's console said, and which of its parts failed, since it was last asked."""

    def __init__(self, page: Page) -> None:
        self._wrong: list[str] = []
        page.on("console", lambda said: self._note(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self._note(str(error)))
        page.on("requestfailed", lambda failed: self._note(f"{failed.url} {failed.failure}"))
        page.on(
            "response",
            lambda answer: self._note(f"{answer.url} {answer.status}") if answer.status >= 400 else None,
        )

    def take(self) -> list[str]:
        taken, self._wrong = self._wrong, []
        return taken

    def _note(self, line: str) -> None:
        # A picture that was still on its way when the visitor went on is nobody's mistake.
        if not line.endswith("net::ERR_ABORTED"):
            self._wrong.append(line)


@contextmanager
def visiting(
    chromium: Browser, url: str, width: int, scheme: str, email: str | None = None
) -> Iterator[tuple[Page, Console]]:
    """A page of that width in pixels and colour scheme, signed in where an address is given."""
    context = chromium.new_context(
        base_url=url,
        viewport={"width": width, "height": 844},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    try:
        page = context.new_page()
        console = Console(page)
        if email is not None:
            sign_in(page, email)
        yield page, console
    finally:
        context.close()


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.goto("/login")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login" not in url)


def fits(page: Page) -> bool:
    """Nothing makes the page itself scroll sideways."""
    inside: bool = page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    return inside


def faults(page: Page, console: Console) -> list[str]:
    """What is wrong with the page that is open, at its width and in its theme."""
    found = console.take()
    if not fits(page):
        found.append(f"wider than the window: {widest(page)}")
    return found + accessibility(page)


def accessibility(page: Page) -> list[str]:
    """The grave faults that axe-core finds."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
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
