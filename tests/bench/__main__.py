"""Prints the speed table: ours, the yardstick, the ratio; medians of paired runs."""

from __future__ import annotations

import asyncio
import logging
from statistics import median

from tests.bench import drawing, passes, stamping, talking

PAIRS = 3


def main() -> None:
    """Measure each line `PAIRS` times, ours and the yardstick in turn."""
    logging.disable(logging.INFO)
    print(f"{'':34}{'ours':>10}{'yardstick':>12}{'ratio':>8}  bar")
    answers = [asyncio.run(talking.measure()) for _ in range(PAIRS)]
    _line("S1 answered events/s, 32 at once", answers, "at least 2")
    acks = [asyncio.run(talking.measure_acks()) for _ in range(PAIRS)]
    _line("S2 s to a webhook's 200, p99", acks, "at most 0.1")
    stamps = [asyncio.run(stamping.measure()) for _ in range(PAIRS)]
    _line("S3 durable stamps/s, 64 waiting", stamps, "at least 4")
    _line(
        "S4 passes/s, RSA signatures/s",
        [passes.measure() for _ in range(PAIRS)],
        "at least 0.6",
    )
    pictures = [asyncio.run(drawing.measure()) for _ in range(PAIRS)]
    _line("S5 CPU s for a design's pictures", pictures, "at most 0.25")


def _line(name: str, pairs: list[tuple[float, float]], bar: str) -> None:
    ours, theirs = (median(each) for each in zip(*pairs, strict=True))
    ratio = median(a / b for a, b in pairs)
    print(f"{name:34}{ours:>10.2f}{theirs:>12.2f}{ratio:>8.2f}  {bar}")


if __name__ == "__main__":
    main()
