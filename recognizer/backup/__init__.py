"""`gridroll backup` and `gridroll restore`: one archive of the database, the faces, the cache and the evidence."""

__all__: list[str] = []
