"""What a student finds in the portal: their own record, their pictures, their say, and their data. Nothing of anybody else.

`record` and `session` show what is on record, `disputes` takes a word against it; `data` is about consent, the download and
leaving. Whose pages they are is never in an address: it is the record of whoever is signed in.
"""

__all__ = ["data", "record"]

from portal.own import data, record
