"""What an account may do: its role, and an instructor's courses."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.accounts import ROLES, end_sign_ins, record_of
from db.audit import SYSTEM
from db.errors import GridrollError
from db.instructors import add_instructor, remove_instructor
from db.proof import note_record
from db.schema import Course, CourseStaff, TokenRow, User
from db.tokens import revoke_token

__all__ = ["keep_an_admin", "set_courses", "set_role"]


def keep_an_admin(session: Session, user: User) -> None:
    """Raises GridrollError where this user is the last admin who can sign in."""
    # Held until the end: of two admins who take each other's place at once, the second finds out.
    active = session.scalars(
        select(User.id).where(User.role == "admin", User.active.is_(True)).with_for_update()
    ).all()
    if list(active) == [user.id]:
        raise GridrollError(
            f"{user.email} is the last admin who can sign in; make somebody else an admin first"
        )


def set_role(session: Session, user: User, role: str, actor: str = SYSTEM, reason: str = "") -> bool:
    """Give a user another role, which ends their sign-ins. Returns False where nothing changes.

    Who is no instructor any more loses their courses, who becomes a student their tokens. Raises GridrollError for an
    unknown role, and for a student without a record.
    """
    if role not in ROLES:
        raise GridrollError(f"role {role[:20]!r} is not known; take one of {', '.join(ROLES)}")
    before = user.role
    if before == role:
        return False
    student_id = record_of(session, user.email) if role == "student" else None
    if before == "instructor":
        set_courses(session, user, (), actor)
    if role == "student":
        tokens = select(TokenRow.id).where(TokenRow.user_id == user.id, TokenRow.revoked_at.is_(None))
        for token_id in session.scalars(tokens).all():
            revoke_token(session, token_id, actor, reason)
    user.role, user.student_id = role, student_id
    session.flush()
    note_record(session, actor, "user.role_changed", user, {"role": before}, {"role": role}, reason)
    end_sign_ins(session, user)
    return True


def set_courses(session: Session, user: User, course_ids: Collection[int], actor: str = SYSTEM) -> int:
    """Give an instructor exactly these courses. Returns how many were given or taken. Raises GridrollError."""
    held = set(session.scalars(select(CourseStaff.course_id).where(CourseStaff.user_id == user.id)))
    changed = held ^ set(course_ids)
    for course in session.scalars(select(Course).where(Course.id.in_(changed)).order_by(Course.id)).all():
        if course.id in held:
            remove_instructor(session, course, user, actor)
        else:
            add_instructor(session, course, user, actor)
    return len(changed)
