"""What proves the ledger: checking the audit chain and the records it speaks of, showing it, anchoring it elsewhere.

`db.audit` appends to the chain; nothing here changes a row of it.
"""

__all__ = ["Kind", "note_record"]

from db.proof.kinds import Kind, note_record
