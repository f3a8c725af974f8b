"""The crops behind the names: encrypted, stored once each, kept for a while, and gone when somebody asks for it.

A crop is a blob in a folder or a bucket, named by a keyed digest of what it shows, and rows say which look and track it
belongs to. Enrolment photographs lie beside the crops, for as long as their faces are indexed. A blob is claimed in the database before it is written and condemned there before it is deleted, so that no
program that is killed leaves a row without its blob, or a blob that nobody would find.
"""

__all__ = [
    "Archive",
    "BlobStore",
    "Exhibit",
    "Kept",
    "KeptPhoto",
    "exhibits_of",
    "kept_until",
    "open_archive",
]

from db.evidence.archive import Archive, open_archive
from db.evidence.blobs import BlobStore
from db.evidence.claims import Kept, KeptPhoto
from db.evidence.exhibits import Exhibit, exhibits_of, kept_until
