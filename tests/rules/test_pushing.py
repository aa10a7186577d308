"""May a push go out now, and how many are left."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.rules.pushing import (
    JAPAN,
    Counts,
    PushPlan,
    check_plan,
    is_quiet,
    month_start,
    needs_look,
    next_month,
    quiet_ends,
    quota_left,
    room,
    why_no_push,
)
from core.rules.types import MerchantId
from tests.rules.zones import places

NOW = datetime(2026, 11, 23, 12, tzinfo=JAPAN).astimezone(UTC)
PLAN = PushPlan(
    merchant_id=MerchantId("m"), is_allowed=True, quota=200, used=150, looked_at=NOW
)
NONE = Counts(this_month=0, since_look=0, on_their_way=0)


def why(plan=PLAN, counts=NONE, now=NOW):
    return why_no_push(plan, counts, JAPAN, now)


def test_it_may_go_where_it_is_allowed_and_something_is_left():
    assert why() is None
    assert why(replace(PLAN, is_allowed=False)) == "off"
    assert why(replace(PLAN, closed_until=NOW + timedelta(seconds=1))) == "closed"
    assert why(replace(PLAN, closed_until=NOW)) is None
    assert why(now=NOW + timedelta(hours=9)) == "quiet"
    assert why(replace(PLAN, used=200)) == "quota"
    assert why(replace(PLAN, quota=None)) is None
    assert why(replace(PLAN, ceiling=0)) == "ceiling"


def test_what_is_on_its_way_is_spent_already():
    counts = Counts(this_month=5, since_look=30, on_their_way=20)
    assert quota_left(PLAN, counts, NOW) == 0
    assert why(counts=counts) == "quota"
    assert why(replace(PLAN, ceiling=25), replace(counts, since_look=0)) == "ceiling"
    assert why(replace(PLAN, ceiling=26), replace(counts, since_look=0)) is None


def test_what_line_said_last_month_says_nothing_of_this_one():
    plan = replace(PLAN, used=200)
    later = next_month(NOW) + timedelta(hours=12)
    assert quota_left(plan, NONE, later) is None
    assert needs_look(plan, later)
    assert not needs_look(plan, NOW + timedelta(hours=1))
    assert needs_look(plan, NOW + timedelta(hours=1, seconds=1))
    assert needs_look(replace(plan, looked_at=None), NOW)


def test_a_used_up_quota_is_looked_at_again_by_one_push_an_hour():
    plan = replace(PLAN, used=200)
    assert room(plan, NONE, NOW) == 0
    assert room(plan, NONE, NOW + timedelta(hours=2)) == 1
    assert room(replace(plan, ceiling=0), NONE, NOW + timedelta(hours=2)) == 0
    assert room(PLAN, NONE, NOW) == 50


@pytest.mark.parametrize(
    ("now", "start", "end"),
    [
        # The month of Japan, whatever the zone of who asks.
        ("2026-11-30T14:59:59+00:00", "2026-11-01", "2026-12-01"),
        ("2026-11-30T15:00:00+00:00", "2026-12-01", "2027-01-01"),
        ("2027-01-31T10:00:00+00:00", "2027-01-01", "2027-02-01"),
    ],
)
def test_a_month_begins_on_the_1st_in_japan(now, start, end):
    at = datetime.fromisoformat(now)
    assert month_start(at) == datetime.fromisoformat(f"{start}T00:00:00+09:00")
    assert next_month(at) == datetime.fromisoformat(f"{end}T00:00:00+09:00")


HOURS = st.integers(0, 23)


@given(places(), HOURS, HOURS)
def test_quiet_hours_end_and_not_before(place, start, end):
    zone, _, now = place
    plan = replace(PLAN, quiet_from=start, quiet_to=end)
    ends = quiet_ends(plan, zone, now)
    assert not is_quiet(plan, zone, ends)
    assert now <= ends <= now + timedelta(hours=27)
    if is_quiet(plan, zone, now):
        assert is_quiet(plan, zone, ends - timedelta(seconds=1))
    else:
        assert ends == now


def test_the_same_hour_twice_is_no_quiet_at_all():
    plan = replace(PLAN, quiet_from=9, quiet_to=9)
    for hour in range(24):
        assert not is_quiet(plan, ZoneInfo("UTC"), NOW + timedelta(hours=hour))


@pytest.mark.parametrize(
    ("ceiling", "start", "end", "wrong"),
    [(-1, 0, 0, "ceiling"), (1_000_001, 0, 0, "ceiling"), (0, 24, 0, "quiet")],
)
def test_what_cannot_be_kept_is_said(ceiling, start, end, wrong):
    with pytest.raises(Invalid, match=wrong):
        check_plan(ceiling, start, end)


def test_no_ceiling_and_the_hours_of_a_day_can_be_kept():
    check_plan(None, 0, 23)
