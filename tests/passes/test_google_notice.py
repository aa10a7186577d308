"""A phone rings for a visit, at most three times in 24 hours."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.rules.types import Entry, EntryId, EntryKind
from passes.google.notice import may_ring
from tests.conftest import START
from tests.passes.google_cards import HELD


def _entry(hours_ago: float = 0, kind: EntryKind = "stamp") -> Entry:
    return Entry(
        id=EntryId("E"),
        card_id=HELD.card_id,
        kind=kind,
        stamps=1,
        balance=1,
        how="line",
        at=START - timedelta(hours=hours_ago),
        version=1,
    )


@pytest.mark.parametrize(
    ("entries", "rings"),
    [
        ([], False),
        ([_entry()], True),
        ([_entry(), _entry(1), _entry(2)], True),
        ([_entry(), _entry(1), _entry(2), _entry(3)], False),
        ([_entry(), _entry(1), _entry(2), _entry(24)], True),
        # One visit may write several lines.
        ([_entry(), _entry(), _entry(), _entry()], True),
        ([_entry(kind="rollover"), _entry()], True),
        ([_entry(kind="undo"), _entry(0.1)], False),
        ([_entry(kind="expiry")], False),
        ([_entry(kind="merge"), _entry()], False),
        # The update is a redesign, long after the visit.
        ([_entry(0.2)], False),
    ],
)
def test_which_updates_ring(entries: list[Entry], rings: bool) -> None:
    assert may_ring(entries, START) is rings
