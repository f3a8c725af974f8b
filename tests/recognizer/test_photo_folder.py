from pathlib import Path

import pytest

from recognizer.errors import PhotoError, RecognizerError
from recognizer.photo_folder import contained, photos_in

NUMBERS = {"S1", "S12", "S12-2", "a.b_c:d"}


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("S1.jpg", "S1"),
        ("S12.JPG", "S12"),
        ("S12_2.jpeg", "S12"),
        ("S12 front.png", "S12"),
        ("S12 (1).webp", "S12"),
        ("a.b_c:d.jpg", "a.b_c:d"),
        # The longest number wins: this is not S12's second photograph.
        ("S12-2.jpg", "S12-2"),
        ("S12-20.jpg", "S12"),
        # Another student's number, who is not on the roster.
        ("S123.jpg", None),
        ("S1a.jpg", None),
        ("s12.jpg", None),
        ("photo S12.jpg", None),
        ("S12/anything.jpg", "S12"),
        ("S12/deeper/anything.tiff", "S12"),
        ("S3/S12.jpg", None),
    ],
)
def test_a_file_is_for_the_student_whose_number_its_name_begins_with(
    tmp_path: Path, name: str, owner: str | None
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert list(photos_in(tmp_path, NUMBERS)) == [(owner, name)]


def test_what_is_no_picture_is_passed_over(tmp_path: Path) -> None:
    for name in ("S1.txt", ".S1.jpg", "Thumbs.db", ".hidden/S1.jpg", "S12/.DS_Store", "S12/._S12.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "S1.jpg").mkdir()
    assert list(photos_in(tmp_path, NUMBERS)) == []


def test_a_folder_that_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RecognizerError, match="cannot read the folder"):
        list(photos_in(tmp_path / "none", NUMBERS))


@pytest.mark.parametrize(
    "name", ["../other.jpg", "/etc/passwd", "inside/../../other.jpg", "link.jpg", "linked/other.jpg", "a\0b"]
)
def test_no_photograph_is_taken_from_outside_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "photos"
    (folder / "inside").mkdir(parents=True)
    (tmp_path / "other.jpg").touch()
    (folder / "link.jpg").symlink_to(tmp_path / "other.jpg")
    (folder / "linked").symlink_to(tmp_path)
    with pytest.raises(PhotoError, match=r"lies outside the folder|is no file name"):
        contained(folder, name)


def test_a_photograph_inside_is_found_also_where_the_folder_itself_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "photos" / "S1").mkdir(parents=True)
    (tmp_path / "photos" / "S1" / "a.jpg").touch()
    (tmp_path / "photos" / "again.jpg").symlink_to(tmp_path / "photos" / "S1" / "a.jpg")
    (tmp_path / "short").symlink_to(tmp_path / "photos")
    for name in ("S1/a.jpg", "S1/../S1/a.jpg", "again.jpg"):
        assert contained(tmp_path / "short", name).is_file()
