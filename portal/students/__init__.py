"""Students in the portal: the list, each one's page, registration, corrections, photographs, consent and removal.

`blueprint` holds what all of these share; the other modules add their pages to it.
"""

__all__ = ["pages"]

from portal.students import consent, details, listing, photographs, record, registration, removal
from portal.students.blueprint import pages

# What is imported for its pages alone.
_ = consent, details, listing, photographs, record, registration, removal
