"""The history of what was done to the records: who, when, to what, why, before and after, in words."""

from portal.history.pages import pages

__all__ = ["pages"]
