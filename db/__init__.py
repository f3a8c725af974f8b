"""Memory: people, faces, sessions, looks and the attendance ledger.

Everything that outlives a process is kept here: rows through SQLAlchemy, the face-metadata cache
through PyMongo. Nothing in this package knows about cameras, face engines or web pages.
"""

__all__ = ["GridrollError", "Settings", "load_settings"]

from db.errors import GridrollError
from db.settings import Settings, load_settings
