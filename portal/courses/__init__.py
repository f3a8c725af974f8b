"""Staff's pages of courses: the list, one course, its details and rules, its timetable and the sessions to come."""

from portal.courses import listing, page, plan, settings, timetable
from portal.courses.blueprint import pages

__all__ = ["listing", "page", "pages", "plan", "settings", "timetable"]
