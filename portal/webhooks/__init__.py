"""Telling other programs of events: the admins' page of webhooks, and the courier that sends and signs the messages.

`db.webhook_events` puts events into messages, `post` sends one, `courier` sends all that are due.
"""

from portal.webhooks.courier import Courier
from portal.webhooks.pages import pages

__all__ = ["Courier", "pages"]
