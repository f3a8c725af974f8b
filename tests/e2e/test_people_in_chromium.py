"""A student is enrolled with the camera and recognised on a picture, in a real browser, on a screen and on a phone."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from db.database import make_database
from db.face_cache import FaceCache
from db.settings import Settings
from demo.cast import Person
from portal.app import create_app
from tests.e2e.browsing import Console, fits, served, visiting
from tests.e2e.conftest import ARGUMENTS, CHROMIUM
from tests.portal.cast import ADMIN, COURSE, class_of_two
from tests.portal.pictures import ANN, BEN, GUEST, class_picture, photo_of

SEATS = [(1440, "light", ANN), (390, "dark", BEN)]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, cache_server: str) -> Iterator[str]:
    settings = Settings(home=tmp_path_factory.mktemp("portal"))
    database = make_database(settings.resolved_database_url)
    class_of_two(database)
    cache = FaceCache(cache_server, database="people_in_chromium")
    cache.prepare()
    with served(create_app(settings, database, cache)) as url:
        yield url
    cache.close()
    database.close()


@pytest.fixture
def camera(chromium: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A browser whose camera shows somebody."""
    person: Person = request.param
    frame = np.full((480, 640, 3), 200, np.uint8)
    face = cv2.imdecode(np.frombuffer(photo_of(person, 480), np.uint8), cv2.IMREAD_COLOR)
    assert face is not None
    frame[:, 128 : 128 + face.shape[1]] = face
    film = tmp_path / "camera.mjpeg"
    film.write_bytes(cv2.imencode(".jpg", frame)[1].tobytes() * 10)
    arguments = [
        *ARGUMENTS,
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    ]
    browser = chromium.browser_type.launch(executable_path=CHROMIUM, args=arguments)
    yield browser
    browser.close()


@pytest.mark.parametrize(
    ("camera", "width", "scheme", "person"),
    [(person, width, scheme, person) for width, scheme, person in SEATS],
    indirect=["camera"],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_a_student_is_enrolled_by_camera_and_recognised_on_a_picture(
    camera: Browser, url: str, tmp_path: Path, width: int, scheme: str, person: Person
) -> None:
    with visiting(camera, url, width, scheme, ADMIN) as (page, console):
        enrol(page, person)
        check(page, console)
        picture = tmp_path / "class.jpg"
        picture.write_bytes(class_picture([person, GUEST]))
        page.goto("/sessions/1/picture")
        page.get_by_label("Picture of the class").set_input_files(picture)
        page.get_by_role("button", name="Take attendance").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("1 of 2 faces recognised", timeout=30_000)
        found = page.get_by_role("listitem")
        expect(found.nth(0)).to_contain_text(person.name)
        expect(found.nth(1)).to_contain_text("Person not recognised")
        expect(page.get_by_role("img", name="The picture with a numbered box")).to_be_visible()
        check(page, console)


def enrol(page: Page, person: Person) -> None:
    page.goto("/registration")
    page.get_by_label("Full name").fill(person.name)
    page.get_by_label("Student number").fill(person.student_no)
    page.get_by_label(COURSE).check()
    page.get_by_role("textbox", name="Consent").fill("form 7")
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take the picture").click()
    expect(page.get_by_text("The picture is taken.")).to_be_visible()
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_text(f"{person.name} is registered and will be recognised.")).to_be_visible(
        timeout=30_000
    )
    expect(page.get_by_role("img", name=f"{person.name}, photograph 1")).to_be_visible()


def check(page: Page, console: Console) -> None:
    assert fits(page)
    assert console.take() == []
