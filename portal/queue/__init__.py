"""The review queue: open reviews of all sessions, one in focus with all it takes to settle it, and the next one at once.

The whole page comes from the server for each answer; where there is a script, it puts the new parts in the old one's place.
"""

__all__ = ["FILTERS", "pages"]

from portal.queue.answers import FILTERS
from portal.queue.pages import pages
