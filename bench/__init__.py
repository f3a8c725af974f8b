"""Benchmarks: each module measures one thing against a peer in the same run and prints a table."""

import os

# As the command line does, before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

__all__ = ["accuracy", "embedding", "ledger", "look", "matching", "plans", "speed"]
