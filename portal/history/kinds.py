"""What a history can be narrowed to: kinds of operations, by the first words of their actions."""

__all__ = ["KINDS", "OF_COURSES", "Scope", "scope_of_kind"]

Scope = tuple[frozenset[str], frozenset[str]]
"""The nouns that are wanted (none: all), and those that are left out."""

MACHINE = frozenset({"ledger", "look"})
"""What Gridroll notes by itself at every look; thousands of rows for each that somebody wrote."""

KINDS: dict[str, tuple[str, frozenset[str]]] = {
    "entries": ("Entries, excuses, pictures", frozenset({"dispute", "entry", "excuse", "picture"})),
    "reviews": ("Reviews and verdicts", frozenset({"guest", "judgement", "review"})),
    "sessions": ("Sessions and their rules", frozenset({"rules", "session"})),
    "courses": ("Courses, rosters, timetables", frozenset({"course", "enrolment", "instructor", "slot"})),
    "students": (
        "Students, consents, faces",
        frozenset({"biometrics", "consent", "erasure", "face", "photo", "student"}),
    ),
    "accounts": ("Accounts, tokens, webhooks", frozenset({"link", "token", "user", "webhook"})),
    "house": (
        "Settings, evidence, backups",
        frozenset({"chain", "database", "evidence", "settings", "templates"}),
    ),
    "machine": ("What Gridroll saw and concluded", MACHINE),
}


OF_COURSES = ("entries", "reviews", "sessions", "courses", "machine")
"""Kinds of which a course or its sessions can be the subject: what instructors may choose from."""


def scope_of_kind(kind: str) -> Scope:
    """Of a kind, or `all`; of anything else, all but what Gridroll notes by itself."""
    if kind in KINDS:
        return KINDS[kind][1], frozenset()
    return frozenset(), frozenset() if kind == "all" else MACHINE
