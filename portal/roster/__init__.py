"""A course's roster in the portal: who is on it, and the import of a file that shows first what it would change."""

from portal.roster import importing, listing
from portal.roster.blueprint import pages

__all__ = ["importing", "listing", "pages"]
