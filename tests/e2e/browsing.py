"""A portal that runs, and somebody who visits it with a browser that tells what its console said."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from playwright.sync_api import Browser, Page

from portal.app import close_app
from portal.server import make_server
from tests.portal.cast import PASSWORD

__all__ = ["Console", "fits", "served", "sign_in", "visiting"]


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
