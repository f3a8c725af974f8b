"""Every page of the portal, as visitors of the benchmark ask for it."""

from dataclasses import dataclass

__all__ = ["LIMITS_MS", "PAGES", "PEER", "Page"]

LIMITS_MS = {"admin": 150.0, "instructor": 150.0, "student": 60.0, "nobody": 150.0}
"""Within which 95 of 100 answers have come, by role."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a visitor of a role asks for. `path` names ids and codes by words in braces."""

    name: str
    role: str
    path: str

    @property
    def limit_ms(self) -> float:
        return LIMITS_MS[self.role]


PEER = Page("an answer with nothing in it", "nobody", "/static/menu.js")

PAGES = (
    PEER,
    Page("sign-in", "nobody", "/login"),
    Page("forgotten password", "nobody", "/forgot"),
    # Every day
    Page("today", "admin", "/today"),
    Page("sessions", "admin", "/sessions"),
    Page("sessions, page 10", "admin", "/sessions?page=10"),
    Page("session, class of 30", "admin", "/sessions/{session}"),
    Page("session, class of 300", "admin", "/sessions/{large}"),
    Page("session under way, class of 300", "admin", "/sessions/{running}"),
    Page("entry", "admin", "/sessions/{session}/entries/{entry}"),
    Page("entry, class of 300", "admin", "/sessions/{large}/entries/{student}"),
    Page("look", "admin", "/sessions/{large}/looks/{look}"),
    Page("review", "admin", "/sessions/{reviewed}/reviews/{review}"),
    Page("reviews", "admin", "/reviews"),
    Page("reviews, most certain first", "admin", "/reviews?order=certain"),
    Page("history of a session", "admin", "/sessions/{large}/history"),
    Page("history", "admin", "/history"),
    Page("attendance from a picture", "admin", "/sessions/{large}/picture"),
    Page("pictures", "admin", "/pictures"),
    # Courses
    Page("courses", "admin", "/courses"),
    Page("course of 300", "admin", "/courses/{course}"),
    Page("course settings", "admin", "/courses/{course}/settings"),
    Page("roster of 300", "admin", "/courses/{course}/roster"),
    Page("remove from a roster", "admin", "/courses/{course}/roster/{student}/remove"),
    Page("timetable", "admin", "/courses/{course}/timetable"),
    Page("slot of a timetable", "admin", "/courses/{course}/timetable/{slot}"),
    Page("plan a session", "admin", "/courses/{course}/plan"),
    Page("planned session", "admin", "/sessions/{planned}/plan"),
    Page("calendar links", "admin", "/calendar"),
    # Students
    Page("students", "admin", "/students"),
    Page("students, looked for", "admin", "/students?q=0199"),
    Page("student", "admin", "/students/{student}"),
    Page("registration", "admin", "/registration"),
    Page("erasures asked for", "admin", "/students/erasures"),
    Page("faces", "admin", "/faces"),
    # Reports
    Page("reports", "admin", "/reports"),
    Page("course by session, 300 by 60", "admin", "/reports/{course}"),
    Page("turnout, 300 by 60", "admin", "/reports/{course}/turnout"),
    # The office
    Page("administration", "admin", "/admin"),
    Page("users", "admin", "/admin/users"),
    Page("new user", "admin", "/admin/users/new"),
    Page("user", "admin", "/admin/users/{user}"),
    Page("tokens", "admin", "/admin/tokens"),
    Page("new token", "admin", "/admin/tokens/new"),
    Page("webhooks", "admin", "/admin/webhooks"),
    Page("settings", "admin", "/admin/settings"),
    Page("costs", "admin", "/admin/costs"),
    Page("audit log", "admin", "/admin/audit"),
    Page("health", "admin", "/admin/health"),
    # One's own
    Page("account", "admin", "/account"),
    Page("second factor", "admin", "/account/second-factor"),
    Page("own tokens", "admin", "/account/tokens"),
    Page("new token of one's own", "admin", "/account/tokens/new"),
    Page("API reference", "admin", "/api/v1/docs"),
    # Who sees one course of many
    Page("today of an instructor", "instructor", "/today"),
    Page("sessions of an instructor", "instructor", "/sessions"),
    Page("session of an instructor", "instructor", "/sessions/{large}"),
    Page("reviews of an instructor", "instructor", "/reviews"),
    Page("students of an instructor", "instructor", "/students"),
    Page("history of an instructor", "instructor", "/history"),
    Page("report of an instructor", "instructor", "/reports/{course}"),
    # Students
    Page("student's record", "student", "/me"),
    Page("student's session", "student", "/me/sessions/{large}"),
    Page("student's data", "student", "/me/data"),
    Page("student's calendar links", "student", "/calendar"),
    Page("student's account", "student", "/account"),
    Page("student's second factor", "student", "/account/second-factor"),
)
