"""Codes of a second factor: six digits that a phone makes of a shared secret and the time (RFC 6238)."""

import hmac
from datetime import datetime

import pyotp
import segno
from flask import current_app

from portal.secret import Box

__all__ = ["box", "matching_step", "new_secret", "qr_picture", "spaced"]

STEP_S = 30
TOLERANCE = 1
"""How many steps a phone's clock may be wrong."""


def box() -> Box:
    """What keeps the secrets in the ledger."""
    key = current_app.secret_key
    assert isinstance(key, bytes)
    return Box(key, "second factor")


def new_secret() -> str:
    """160 random bits, as base 32."""
    return pyotp.random_base32(32)


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """The time step whose code this is, among those near now; None where it is none of theirs."""
    digits = "".join(code.split())
    if len(digits) != 6 or not digits.isascii() or not digits.isdecimal():
        return None
    totp, this = pyotp.TOTP(secret), int(now.timestamp()) // STEP_S
    found = None
    for step in range(this - TOLERANCE, this + TOLERANCE + 1):
        if hmac.compare_digest(totp.generate_otp(step), digits):
            found = step
    return found


def qr_picture(secret: str, email: str) -> str:
    """The picture by which a phone learns the secret, as a `data:` address of an SVG."""
    address = pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name="Gridroll")
    # Trying all eight masks for the evenest picture would take five times as long; readers read any of them.
    return segno.make(address, error="m", mask=2).svg_data_uri(scale=5, border=3, dark="#000", light="#fff")


def spaced(secret: str) -> str:
    """In groups of four, for those who type it."""
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
