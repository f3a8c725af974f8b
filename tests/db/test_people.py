from pathlib import Path

import pytest

from db.errors import RosterError
from db.people import read_roster

HEADER = "student_no,name,email,photo\n"


def write(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "roster.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_roster_is_read_whatever_the_case_and_order_of_its_columns(tmp_path: Path) -> None:
    lines = read_roster(
        write(tmp_path, "\ufeffPhoto, NAME ,email,Student_No\na.jpg,Ann Öberg,ann@x.example, S1 \n\n")
    )
    assert [(line.student_no, line.name, line.photo, line.consent) for line in lines] == [
        ("S1", "Ann Öberg", "a.jpg", "")
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("student_no,name\nS1,Ann\n", "lacks the column email, photo"),
        ("", "lacks the column student_no"),
        (HEADER, "names no student"),
        (HEADER + ",Ann,a@x.example,a.jpg\n", "line 2: the student number is empty; give Ann one"),
        (HEADER + "S1,Ann,,\nS2,Ben,,\nS1,Cid,,\n", "line 4: student number S1 stands on line 2 already"),
        (HEADER + "S 1,Ann,,\n", "student number 'S 1' has characters other than"),
        (HEADER + "S1,,a@x.example,\n", "student S1 has no name"),
        (HEADER + "S1,Doe, John,j@x.example,a.jpg\n", "more cells than columns"),
        (HEADER + "S1,Ann,ann.example,\n", "'ann.example' of student S1 is no e-mail address"),
        (HEADER + "S1,\x1b[2JAnn,,\n", "holds a control character"),
        (HEADER + "S1," + "n" * 201 + ",,\n", "has 201 characters; shorten it to 200"),
        (HEADER + "S1,\u200b,,\n", "has no letter that can be seen"),
        (HEADER + "S1,A\u202enn,,\n", "holds a control character"),
        (HEADER + "S1,Ann,a@b@c,\n", "'a@b@c' of student S1 is no e-mail address"),
        (
            HEADER.replace("photo", "photo,enrolled_on") + "S1,Ann,,,0001-01-01\n",
            "the year of 0001-01-01 of student S1",
        ),
        (HEADER.encode() + "S1,Jörg,,\n".encode("latin-1"), "is not UTF-8"),
        ((HEADER + "S1,Ann,,\n").encode("utf-16"), "is not UTF-8"),
        (HEADER + 'S1,"Ann,,\n', "is no CSV file"),
        (b"\x00\x01\x02binary", "lacks the column|is no CSV file"),
    ],
)
def test_a_bad_roster_is_one_line_that_names_the_place_and_the_remedy(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(RosterError, match=message) as error:
        read_roster(write(tmp_path, content))
    assert "\n" not in str(error.value)


def test_a_roster_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(RosterError, match="cannot read roster"):
        read_roster(tmp_path / "none.csv")
