"""Can crops be kept, and read again?"""

from contextlib import closing

from db.evidence.blobs import open_blobs
from db.evidence.keys import key_file, load_keys
from db.settings import Settings

__all__ = ["check_evidence"]


def check_evidence(settings: Settings) -> str:
    """Try the store and the keys, and say what was seen. Makes neither folder nor keys. Raises GridrollError."""
    with closing(open_blobs(settings)) as blobs:
        seen = blobs.check()
    own = not settings.evidence_keys.get_secret_value().strip() and settings.evidence_key_file is None
    if own and not key_file(settings).exists():
        return f"{seen}; {key_file(settings)}, made with the first crop"
    keys = load_keys(settings)
    older = f", {len(keys) - 1} older" if len(keys) > 1 else ""
    return f"{seen}; encrypted under key {keys.newest_id}{older}; kept for {settings.evidence_days} days"
