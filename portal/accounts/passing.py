"""New passwords as forms send them: typed twice."""

from collections.abc import Mapping

from portal.errors import PortalError
from portal.passwords import hash_password

__all__ = ["read_new_password"]


def read_new_password(form: Mapping[str, str]) -> str:
    """The hash of the new password. Raises PortalError for one that cannot be, or that was typed in two ways."""
    password = form.get("password", "")
    if password != form.get("again", ""):
        raise PortalError("the two passwords differ; type the same one twice")
    return hash_password(password)
