"""When a stamp counts that came late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.rules.late import LATEST, counts_at, scanned_at

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
spans = st.timedeltas(timedelta(days=-4000), timedelta(days=4000))


@given(spans)
def test_it_counts_when_it_was_scanned_or_now_where_that_cannot_be(age):
    at = scanned_at(age, NOW)
    assert at == (NOW - age if timedelta() <= age <= LATEST else NOW)


def test_an_unknown_age_is_none():
    assert scanned_at(None, NOW) == NOW


@given(spans, spans)
def test_it_is_never_in_the_future_and_never_before_the_cards_last_entry(age, since):
    scanned, last = scanned_at(age, NOW), NOW - since
    at = counts_at(scanned, last, NOW)
    assert at <= NOW
    assert at >= min(last, NOW)
    assert at >= scanned
    if last <= scanned:
        assert at == scanned
