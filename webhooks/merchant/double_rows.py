"""Double hours as rows of a form: days to tick, from when, until when.

Behind the rows stands the text form of `core.rules.spending`, as in a merchant's file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.rules.fields import Problems
from core.rules.spending import MAX_DOUBLE_HOURS, double_hours_text, read_double_hours
from core.rules.types import DoubleHours
from webhooks.forms import Fields, texts_of

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class DoubleRow:
    """One span as typed: names of days, and times of day such as "09:00"."""

    days: tuple[str, ...] = DAYS
    start: str = ""
    end: str = ""

    @property
    def is_empty(self) -> bool:
        """No time was typed; the days are all ticked at first."""
        return not (self.start or self.end)

    @property
    def text(self) -> str:
        """The span as a line of a merchant's file; an unreadable one where it lacks
        something.
        """
        # No day at all must not be read as every day.
        days = ",".join(self.days) or "?"
        return f"{days} {self.start}-{self.end}"


def doubles_of(spans: Sequence[DoubleHours]) -> tuple[DoubleRow, ...]:
    """The rows as they are first shown."""
    return tuple(_row(span) for span in spans)


def read_doubles(fields: Fields) -> tuple[DoubleRow, ...]:
    """The rows as a browser sent them, without those where no time was typed.

    Each row has a name of its own, `double_row`; its ticked days are sent as "row:day".
    """
    names = texts_of(fields, "double_row")
    times = zip(texts_of(fields, "double_from"), texts_of(fields, "double_to"))  # noqa: B905 -- a cut form is no error
    ticked = set(texts_of(fields, "double_day"))
    rows = [
        DoubleRow(tuple(day for day in DAYS if f"{name}:{day}" in ticked), *span)
        for name, span in zip(names, times, strict=False)
    ]
    # A few more than may be kept, so that the page can say so.
    return tuple(r for r in rows if not r.is_empty)[: 2 * MAX_DOUBLE_HOURS]


def double_problems(rows: Sequence[DoubleRow]) -> Problems:
    """Which rows cannot be kept, or that there are too many of them."""
    found: Problems = {}
    for index, row in enumerate(rows):
        wrong: Problems = {}
        read_double_hours([row.text], wrong)
        if wrong:
            found[f"double.{index}"] = ("merchant.double.wrong", {})
    if not found and len(rows) > MAX_DOUBLE_HOURS:
        found["double_hours"] = ("merchant.double.many", {"max": MAX_DOUBLE_HOURS})
    return found


def _row(span: DoubleHours) -> DoubleRow:
    start, end = double_hours_text(span).split(" ")[-1].split("-")
    # A field for a time of day wants two digits of the hour.
    return DoubleRow(
        tuple(DAYS[day] for day in span.days), start.zfill(5), end.zfill(5)
    )
