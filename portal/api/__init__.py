"""The portal for programs: JSON under /api/v1, opened by tokens and never by a cookie.

Each module is one part of it: the shapes of what is sent and answered, and the views. `parts` is what they have in common,
`problems` answers what goes wrong, `repeats` answers a request that is sent twice, `document` describes it all.
"""

from portal.api.document import register_api, serve_programs
from portal.api.observations import MAX_LOOK_BYTES

__all__ = ["MAX_LOOK_BYTES", "register_api", "serve_programs"]
