"""Once a business day, and so many hours apart, where clocks are put forward and back.

Hours are those that pass, days are those of the clock on the merchant's wall.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.rules.asking import Refused
from core.rules.days import business_day, end_of
from core.rules.granting import GrantFacts, Worth, decide_grant
from core.rules.types import Card, CardId, Limit, Why
from tests.builders import coffee
from tests.rules.zones import places

NEW_YORK = ZoneInfo("America/New_York")
TOKYO = ZoneInfo("Asia/Tokyo")

limits = st.one_of(
    st.just(Limit()),
    st.just(Limit(kind="day")),
    st.integers(1, 72).map(lambda n: Limit(kind="hours", n=n)),
    st.integers(1, 5).map(lambda n: Limit(kind="per_day", n=n)),
)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def facts(limit, *, now, zone, hour, recent=(), day_cap=0, stamps=1):
    card = Card(
        id=CardId("c"),
        merchant_id="m",
        program_id="p",
        customer_id="u",
        version=1,
        state="active",
        balance=3,
        cycle=0,
        total=3,
        revision=1,
        code="X",
        issued_at=utc(2009, 12, 31),
        first_stamp_at=utc(2009, 12, 31),
        last_stamp_at=None,
        expires_at=None,
    )
    return GrantFacts(
        card=card,
        design=coffee(limit=limit, day_cap=day_cap),
        program="active",
        stamps=stamps,
        recent=recent,
        zone=zone,
        day_starts_at=hour,
        now=now,
    )


@given(
    limits,
    st.integers(0, 6),
    places(),
    st.lists(st.tuples(st.integers(0, 73 * 3600), st.integers(1, 3)), max_size=6),
)
@example(Limit(kind="day"), 0, (NEW_YORK, 1, utc(2026, 11, 1, 6, 30)), [(3600, 1)])
@example(Limit(kind="day"), 0, (NEW_YORK, 2, utc(2026, 3, 8, 6, 59)), [(60, 1)])
def test_a_refusal_names_the_second_from_which_it_would_succeed(
    limit, cap, place, earlier
):
    zone, hour, now = place
    recent = sorted((now - timedelta(seconds=age), stamps) for age, stamps in earlier)
    asked = facts(limit, now=now, zone=zone, hour=hour, recent=recent, day_cap=cap)

    outcome = decide_grant(asked)

    if isinstance(outcome, Refused):
        assert outcome.retry_at > now
        then = decide_grant(replace(asked, now=outcome.retry_at))
        assert isinstance(then, Worth)
        just_before = outcome.retry_at - timedelta(seconds=1)
        assert isinstance(decide_grant(replace(asked, now=just_before)), Refused)


@given(places(), st.timedeltas(timedelta(0), timedelta(hours=50)))
def test_once_a_day_is_once_from_cut_off_to_cut_off(place, later):
    zone, hour, first = place
    now = first + later
    asked = facts(Limit(kind="day"), now=now, zone=zone, hour=hour, recent=[(first, 1)])

    outcome = decide_grant(asked)

    ends = end_of(business_day(first, zone, hour), zone, hour)
    assert isinstance(outcome, Refused) == (now < ends)
    if isinstance(outcome, Refused):
        assert (outcome.why, outcome.retry_at) == (Why.already_today, ends)


@given(places(), st.integers(1, 72), st.timedeltas(timedelta(0), timedelta(hours=80)))
def test_hours_are_those_that_pass_whatever_the_clock_shows(place, n, later):
    zone, hour, first = place
    now = first + later
    limit = Limit(kind="hours", n=n)

    outcome = decide_grant(
        facts(limit, now=now, zone=zone, hour=hour, recent=[(first, 1)])
    )

    assert isinstance(outcome, Refused) == (later < timedelta(hours=n))


@pytest.mark.parametrize(
    ("limit", "hour", "given_at", "now", "retry_at"),
    [
        # 8 March 2026, 1:30: the cut-off at 2:00 is left out, 3:00 comes at 7:00 UTC.
        ("day", 2, (8, 6, 30), (8, 6, 31), (8, 7, 0)),
        # After it there are 23 hours to the next one, and 3:30 is long after 0:30.
        ("day", 2, (8, 7, 0), (8, 7, 1), (9, 6, 0)),
        ("day", 5, (8, 8, 59), (8, 8, 59), (8, 9, 0)),
        ("day", 0, (8, 5, 0), (9, 3, 59), (9, 4, 0)),
        ("3h", 5, (8, 5, 30), (8, 8, 29), (8, 8, 30)),
    ],
)
def test_the_night_that_loses_an_hour_in_new_york(limit, hour, given_at, now, retry_at):
    refused_until(limit, hour, (2026, 3, given_at), (2026, 3, now), (2026, 3, retry_at))


@pytest.mark.parametrize(
    ("limit", "hour", "given_at", "now", "retry_at"),
    [
        # 1 November 2026: 1:00 comes twice, at 5:00 and 6:00 UTC; the first begins it.
        ("day", 1, (1, 4, 59), (1, 4, 59), (1, 5, 0)),
        ("day", 1, (1, 5, 30), (1, 6, 30), (2, 6, 0)),
        ("day", 2, (1, 6, 59), (1, 6, 59), (1, 7, 0)),
        ("day", 0, (1, 4, 0), (2, 4, 59), (2, 5, 0)),
        ("3h", 5, (1, 4, 30), (1, 7, 29), (1, 7, 30)),
    ],
)
def test_the_night_that_has_an_hour_twice_in_new_york(
    limit, hour, given_at, now, retry_at
):
    refused_until(
        limit, hour, (2026, 11, given_at), (2026, 11, now), (2026, 11, retry_at)
    )


def refused_until(limit, hour, given_at, now, retry_at):
    rule = Limit(kind="day") if limit == "day" else Limit(kind="hours", n=3)
    year, month, parts = retry_at
    asked = facts(
        rule,
        now=utc(*now[:2], *now[2]),
        zone=NEW_YORK,
        hour=hour,
        recent=[(utc(*given_at[:2], *given_at[2]), 1)],
    )

    outcome = decide_grant(asked)

    assert outcome.retry_at == utc(year, month, *parts)
    assert isinstance(decide_grant(replace(asked, now=outcome.retry_at)), Worth)


def test_on_29_february_the_next_day_is_in_march():
    # 29 February 2028, 12:00 in Tokyo; the next business day begins on 1 March, 5:00.
    noon = utc(2028, 2, 29, 3, 0)

    outcome = decide_grant(
        facts(Limit(kind="day"), now=noon, zone=TOKYO, hour=5, recent=[(noon, 1)])
    )

    assert outcome.retry_at == utc(2028, 2, 29, 20, 0)
