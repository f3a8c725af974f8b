"""How often a password, a code or a mail may be tried, by account and by the address that asks."""

from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil

from flask import request
from sqlalchemy.orm import Session

from db.throttle import Limit, Tries, forget_tries, give_back, sweep_throttles, take_try, wait
from portal.desk import desk

__all__ = [
    "CODES",
    "FORGOTTEN",
    "FORGOTTEN_HERE",
    "OWN_PASSWORDS",
    "PASSWORDS",
    "PASSWORDS_HERE",
    "attempt",
    "client",
    "succeeded",
    "wait_words",
]

QUARTER = timedelta(minutes=15)
PASSWORDS = Limit("passwords of an account", 10, QUARTER)
PASSWORDS_HERE = Limit("passwords from an address", 100, QUARTER)
"""Only what fails counts for long: a whole school may come through one address."""

OWN_PASSWORDS = Limit("passwords of somebody signed in", 10, QUARTER)
"""Apart from those tried from outside: who is signed in can change the password while others guess at it."""

CODES = Limit("codes of an account", 5, QUARTER)
FORGOTTEN = Limit("mails to an account", 3, timedelta(hours=1))
FORGOTTEN_HERE = Limit("mails from an address", 20, timedelta(hours=1))


def client() -> str:
    """The address that asks. Of IPv6 the network: whoever has one address there has all of it."""
    text = request.remote_addr or ""
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address, 64), strict=False))
    return str(address)


def attempt(*tries: Tries) -> int | None:
    """Count a try under each before it is made. Returns None, or how many seconds to wait: it must not be made."""
    database, now = desk().database, desk().now()

    def take(writing: Session) -> list[timedelta]:
        sweep_throttles(writing, now)
        return [left for one in tries if (left := take_try(writing, one, now)) is not None]

    # Whoever is refused already does not even make the ledger write.
    with database.reading() as reading:
        waits = [left for one in tries if (left := wait(reading, one, now)) is not None]
    waits = waits or database.transact(take)
    return ceil(max(waits).total_seconds()) if waits else None


def succeeded(writing: Session, *forgotten: Tries, returned: Tries | None = None) -> None:
    """Forget the tries before one that succeeded; of `returned` that one only."""
    for one in forgotten:
        forget_tries(writing, one)
    if returned is not None:
        give_back(writing, returned)


def wait_words(wait_s: int) -> str:
    minutes = ceil(wait_s / 60)
    return f"Too many tries. Wait {minutes} minute{'' if minutes == 1 else 's'}, then try again."
