"""Rows that the database joins into one line, on SQLite and on a real MariaDB."""

from datetime import UTC, datetime

from sqlalchemy import select

from db.database import Database
from db.lines import line_of_all
from db.people import make_course
from db.schema import Course, SessionRow
from db.sessions import start_session

NINE = datetime(2026, 3, 2, 8, 0, 1, 20, tzinfo=UTC)


def test_a_line_holds_each_row_of_a_group_once_and_none_with_a_gap(database: Database) -> None:
    with database.writing() as session:
        for code, title in (("A", "Cells"), ("B", "it's 50 %; “so”"), ("C", None)):
            make_course(session, code, "UTC").title = title
        start_session(session, "A", "One", NINE, 45)
        start_session(session, "A", "Two", NINE.replace(hour=9), 45)
        start_session(session, "B", "Three", NINE, 45)
    with database.reading() as session:
        titles = session.scalar(select(line_of_all(Course.id, "=", Course.title, separator="|")))
        assert titles is not None
        assert sorted(titles.split("|")) == ["1=Cells", "2=it's 50 %; “so”"]
        begun = line_of_all(SessionRow.starts_at, "%", SessionRow.id, separator="; ")
        query = select(Course.code, begun).join(SessionRow).group_by(Course.code).order_by(Course.code)
        lines = {code: sorted(line.split("; ")) for code, line in session.execute(query)}
        assert lines == {
            "A": ["2026-03-02 08:00:01.000020%1", "2026-03-02 09:00:01.000020%2"],
            "B": ["2026-03-02 08:00:01.000020%3"],
        }
        assert (
            session.scalar(select(line_of_all(SessionRow.id, separator=",")).where(SessionRow.id > 9)) is None
        )
