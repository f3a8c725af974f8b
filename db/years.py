"""The years that can be meant: what is outside is a mistake, or a program's way to write that it knows no date."""

__all__ = ["FIRST_YEAR", "LAST_YEAR"]

FIRST_YEAR, LAST_YEAR = 2000, 2200
"""Near the ends of all years, moreover, no clock of another zone could show a moment."""
