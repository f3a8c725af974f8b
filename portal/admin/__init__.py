"""Pages for admins: settings, costs, the audit log and its check, and whether everything works."""

from portal.admin.office import Office, put_office
from portal.admin.pages import pages

__all__ = ["Office", "pages", "put_office"]
