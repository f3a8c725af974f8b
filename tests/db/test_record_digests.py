"""A record's digest is the same before it is stored and when it is read back from either database."""

from datetime import UTC, timedelta, timezone
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import settings as settle
from hypothesis import strategies as st
from sqlalchemy import select

from db.database import Database
from db.looks import NewLook, NewNaming, NewSighting, record_looks
from db.people import RosterLine, enrol, make_course, record_consent
from db.proof.kinds import KINDS
from db.proof.stored import stored
from db.record_digests import FIELDS, look_digest, record_digest
from db.schema import Base, Consent, LookRow
from db.sessions import start_session
from tests.conftest import START
from tests.db.proof.test_chain import undone

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=16)
PERCENT = st.floats(0, 100) | st.integers(0, 100) | st.just(-0.0) | st.floats(1e-300, 1e300)
ZONES = st.sampled_from((UTC, timezone(timedelta(hours=5.5))))
MOMENTS = st.datetimes(
    START.replace(year=2000, tzinfo=None), START.replace(year=2100, tzinfo=None), timezones=ZONES
)
PIXEL = st.integers(-(2**31), 2**31 - 1)


@st.composite
def looks(draw: st.DrawFn) -> dict[str, Any]:
    tracks = draw(st.lists(TEXT, unique=True, max_size=4))
    maybe = st.none() | PERCENT
    return {
        "began_at": draw(MOMENTS),
        "taken_at": draw(MOMENTS),
        "trigger": draw(TEXT),
        "headcount": draw(st.integers(0, 100)),
        "searches": draw(st.integers(0, 100)),
        "paid": draw(st.integers(0, 100)),
        "sightings": tuple(
            NewSighting(track, draw(st.tuples(PIXEL, PIXEL, PIXEL, PIXEL)), draw(st.none() | TEXT))
            for track in tracks
        ),
        "namings": tuple(
            NewNaming(
                *(track, "unknown", None, draw(st.none() | TEXT), draw(maybe), None, draw(maybe)),
                *(draw(PERCENT), draw(st.integers(1, 9)), draw(TEXT), draw(TEXT), draw(maybe)),
            )
            for track in draw(st.permutations(tracks))
        ),
    }


LOOKS = next(kind for kind in KINDS if kind.model is LookRow)


@settle(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=looks())
def test_a_look_has_the_digest_it_had_before_it_was_stored(database: Database, one: dict[str, Any]) -> None:
    with undone(database) as session:
        make_course(session, "BIO")
        new = NewLook(session_id=start_session(session, "BIO", "", START, 45).id, uid="u1", **one)
        assert record_looks(session, [new]) == [True]
        ((_, key, digest),) = next(stored(session, LOOKS))
    assert (key, digest) == ((new.session_id, "u1"), look_digest(new))


def test_every_value_of_a_look_counts() -> None:
    naming = NewNaming("t1", "named", 1, "f1", 95.0, 2, 60.0, 91.0, 2, "local", "dlib", 5.0)
    base = {
        "session_id": 1,
        "uid": "u1",
        "began_at": START,
        "taken_at": START,
        "trigger": "headcount",
        "headcount": 1,
        "searches": 1,
        "paid": 0,
        "namings": (naming,),
        "sightings": (NewSighting("t1", (1, 2, 3, 4)),),
    }
    others: list[dict[str, Any]] = [
        {"session_id": 2},
        {"uid": "u2"},
        {"began_at": START + timedelta(microseconds=1)},
        {"taken_at": START + timedelta(microseconds=1)},
        {"trigger": "spot"},
        {"headcount": 2},
        {"searches": 2},
        {"paid": 1},
        {"sightings": ()},
        {"sightings": (NewSighting("t2", (1, 2, 3, 4)),)},
        {"sightings": (NewSighting("t1", (1, 2, 3, 5)),)},
        {"sightings": (NewSighting("t1", (1, 2, 3, 4), "loop"),)},
        {"namings": ()},
        *(
            {"namings": (NewNaming(**{**_fields(naming), field: value}),)}
            for field, value in (
                *(("track", "t2"), ("verdict", "unknown"), ("student_id", 2), ("face_id", None)),
                *(("similarity_pct", 95.00000000000001), ("runner_up_id", 3), ("runner_up_pct", None)),
                *(
                    ("threshold_pct", 90.0),
                    ("looks", 3),
                    ("engine", "x"),
                    ("model", "y"),
                    ("margin_pct", 4.0),
                ),
            )
        ),
    ]
    digests = {look_digest(NewLook(**{**base, **other})) for other in [{}, *others]}
    assert len(digests) == len(others) + 1


def _fields(naming: NewNaming) -> dict[str, Any]:
    return {name: getattr(naming, name) for name in NewNaming.__slots__}


def test_a_record_has_the_digest_it_had_before_it_was_stored(database: Database) -> None:
    with database.writing() as session:
        course = make_course(session, "Ä" * 30, "Europe/Berlin")
        course.min_presence = 1  # an integer where the column holds doubles
        line = RosterLine("S1", "Zoë ‘Q’ Ångström 🎓", "zoe@x.example", "", "")
        (student,) = enrol(session, course, [line])
        record_consent(session, student, "form 7, signed\nby hand ")
        consent = session.scalars(select(Consent)).one()
        row = start_session(
            session, course.code, "Cells", START.astimezone(timezone(timedelta(hours=-3))), 45
        )
        before = {type(one): record_digest(one) for one in (course, student, consent, row)}
    with database.reading() as session:
        for model, digest in before.items():
            assert record_digest(session.scalars(select(model)).one()) == digest


def test_every_column_enters_a_digest_or_is_left_out_for_a_reason() -> None:
    left_out = {
        "consents": set(),
        "course_staff": {"id"},  # course and user name it
        "courses": set(),
        "disputes": set(),
        "edits": {"id"},  # the uid names it
        "enrolments": {"id"},  # course and student do
        "erasures": set(),
        "excuses": set(),
        "faces": {"photo", "quality"},  # a file's name and a measure: nobody's attendance hangs on them
        "judgements": {"name", "template", "expires_at"},  # may be erased
        "sessions": set(),
        "students": set(),
        "timetable": set(),
        "tokens": {"last_used_at"},  # using one changes nothing
        "users": {"totp_step"},  # a code was used, as a sign-in is
        "webhooks": {"told_seq"},  # how far it was told, as a token's last use
    }
    found = {}
    for model, fields in FIELDS.items():
        columns = {attribute.key for attribute in _mapper(model).column_attrs}
        found[model.__tablename__] = columns - set(fields)
        assert set(fields) <= columns
    assert found == left_out


def _mapper(model: type[Base]) -> Any:
    return model.__mapper__
