"""Benchmarks: each module measures one thing against a peer in the same run and prints a table."""

__all__ = ["look"]
