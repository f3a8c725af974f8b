"""The description of the API is drawn and tried out, and a webhook is made, in a real browser under the strict policy."""

import re
from pathlib import Path

from playwright.sync_api import Browser, expect

from db.accounts import find_user
from db.database import make_database
from db.settings import Settings
from db.tokens import add_token
from portal.app import create_app
from portal.bearer import hash_token, new_token
from tests.conftest import free_port
from tests.e2e.browsing import fits, served, visiting
from tests.portal.cast import ADMIN, class_of_two


def test_an_admin_tries_the_api_out_and_makes_a_webhook(chromium: Browser, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, webhook_private=True)
    database = make_database(settings.resolved_database_url)
    class_of_two(database)
    token = new_token()
    with database.writing() as writing:
        user = find_user(writing, ADMIN)
        assert user is not None
        add_token(writing, "trial", hash_token(token), ["sessions"], user)
    app = create_app(settings, database)
    operations = sum(len(item) for item in app.extensions["gridroll-openapi"]["paths"].values())
    with served(app) as url, visiting(chromium, url, 390, "dark", ADMIN) as (page, console):
        page.goto("/api/v1/docs")
        drawn = page.locator(".opblock")
        expect(drawn.nth(10)).to_be_visible()
        assert operations - 20 <= drawn.count() <= operations
        page.get_by_role("button", name="Authorize").click()
        page.get_by_label("auth-bearer-value").fill(token)
        page.get_by_role("button", name="Apply credentials").click()
        page.get_by_role("button", name="Close").click()
        first = drawn.first
        first.get_by_role("button").first.click()
        first.get_by_role("button", name="Try it out").click()
        first.get_by_role("button", name="Execute").click()
        answer = first.locator(".live-responses-table")
        expect(answer).to_contain_text("200")
        expect(answer).to_contain_text("MATH-101")
        assert fits(page)

        page.goto("/admin/webhooks")
        page.get_by_label("Address").fill(f"http://127.0.0.1:{free_port()}/hook")
        page.get_by_label("review.opened").uncheck()
        page.get_by_role("button", name="Make the webhook").click()
        expect(page.get_by_role("status")).to_contain_text(re.compile(r"whsec_[\w-]{43}"))
        assert fits(page)
        page.get_by_role("button", name="Send a test").click()
        expect(page.get_by_role("row").filter(has_text="webhook.test")).to_contain_text("Not sent yet.")
        assert fits(page)
        assert console.take() == []
    database.close()
