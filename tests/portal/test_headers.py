"""What responses tell the browser, cookies, and error pages."""

from pathlib import Path

import pytest
from flask import Flask

from db.database import Database
from db.errors import DatabaseError, GridrollError
from db.settings import Settings
from portal.access import public
from portal.app import MAX_BODY_BYTES, create_app
from portal.errors import PortalError
from portal.secret import load_secret_key
from tests.portal.cast import ADMIN, STUDENT_A
from tests.portal.conftest import Browser

pytestmark = pytest.mark.usefixtures("meeting")


@pytest.mark.parametrize("path", ["/login", "/sessions", "/me", "/nothing", "/static/gridroll.css"])
def test_every_response_carries_the_safety_headers(browser: Browser, path: str) -> None:
    headers = browser.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert ("no-store" in headers["Cache-Control"]) == (not path.startswith("/static"))


@pytest.mark.parametrize(
    ("email", "path"), [(ADMIN, "/sessions"), (ADMIN, "/sessions/1"), (STUDENT_A, "/me")]
)
def test_pages_need_neither_inline_script_nor_inline_style(browser: Browser, email: str, path: str) -> None:
    browser.sign_in(email)
    page = browser.get(path).text
    for forbidden in ("<style", " style=", "<script>", " onclick=", " onload=", "javascript:"):
        assert forbidden not in page


def test_the_cookie_is_kept_from_scripts_and_from_other_sites(browser: Browser) -> None:
    cookie = browser.get("/login").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_behind_https_the_cookie_travels_over_nothing_else(settings: Settings, database: Database) -> None:
    secure = create_app(settings.model_copy(update={"portal_https": True}), database)
    answer = secure.test_client().get("/login")
    assert "Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Set-Cookie"].startswith("__Host-gridroll=")
    assert "Strict-Transport-Security" in answer.headers


def test_no_cookie_is_set_where_no_form_needs_one(browser: Browser) -> None:
    for path in ("/", "/sessions", "/nothing", "/static/logo.svg"):
        assert "Set-Cookie" not in browser.get(path).headers


def test_a_body_too_large_is_refused(browser: Browser) -> None:
    answer = browser.client.post("/login", data={"email": "x" * (MAX_BODY_BYTES + 1)})
    assert answer.status_code == 413
    assert "Too large" in answer.text


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (DatabaseError("the ledger at /secret/path is locked"), 503, "out of reach"),
        (GridrollError("nobody expected this of /secret/path"), 500, "Something broke"),
        (ZeroDivisionError("/secret/path"), 500, "Something broke"),
    ],
)
def test_errors_become_pages_that_tell_visitors_nothing_of_the_inside(
    own_app: Flask, error: Exception, code: int, words: str
) -> None:
    @public
    def broken() -> str:
        raise error

    own_app.add_url_rule("/broken", "broken", broken)
    answer = Browser(own_app.test_client()).get("/broken")
    assert answer.status_code == code
    assert words in answer.text
    assert "/secret/path" not in answer.text


def test_the_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "portal.key"
    key = load_secret_key(path)
    assert len(key) == 32
    assert load_secret_key(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["portal.key"]


def test_a_key_file_that_holds_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "portal.key").write_bytes(b"short")
    with pytest.raises(PortalError, match="holds 5 bytes"):
        load_secret_key(tmp_path / "portal.key")
