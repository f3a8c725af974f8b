"""Reports of a course over a span of days: who came to which session, how many were seen when, and files of it."""

from portal.reports.pages import pages

__all__ = ["pages"]
