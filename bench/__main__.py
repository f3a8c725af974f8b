"""`python -m bench [NAME] [options]`: one benchmark, or all of them."""

import sys
from collections.abc import Callable, Sequence

from bench import accuracy, embedding, ledger, look, matching, plans, portal, speed

BENCHMARKS: dict[str, Callable[[Sequence[str] | None], None]] = {
    "accuracy": accuracy.main,
    "speed": speed.main,
    "embedding": embedding.main,
    "matching": matching.main,
    "look": look.main,
    "ledger": ledger.main,
    "queries": plans.main,
    "portal": portal.main,
}


def main(argv: Sequence[str]) -> None:
    """Run the benchmark that is named first, else all; the rest is handed on to it."""
    if argv and argv[0] in BENCHMARKS:
        BENCHMARKS[argv[0]](argv[1:])
        return
    if unknown := [word for word in argv if word != "--quick"]:
        raise SystemExit(
            f"{unknown[0]!r} is no benchmark; choose from {', '.join(BENCHMARKS)}, or --quick for all"
        )
    for run in BENCHMARKS.values():
        run(argv)


if __name__ == "__main__":
    main(sys.argv[1:])
