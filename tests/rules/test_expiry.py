"""Cards and vouchers are good to the end of a business day, whatever the clock does."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules.days import add_months, business_day, end_of, last_day, start_of
from core.rules.expiry import card_expires_at, promised_until, voucher_expires_at
from core.rules.types import Expiry
from tests.rules.zones import moments, places

TOKYO = ZoneInfo("Asia/Tokyo")
NEW_YORK = ZoneInfo("America/New_York")

expiries = st.one_of(
    st.just(Expiry()),
    st.builds(
        lambda kind, months: Expiry(kind=kind, months=months),
        st.sampled_from(["after_first", "after_last"]),
        st.integers(1, 60),
    ),
    st.builds(
        lambda on: Expiry(kind="on", on=on),
        st.dates(date(2010, 1, 1), date(2045, 1, 1)),
    ),
)


def is_an_end(at, zone, hour):
    """Is it an instant at which a business day begins?"""
    return at == start_of(business_day(at, zone, hour), zone, hour)


@given(expiries, places(), st.data())
def test_a_card_ends_with_a_business_day(expires, place, data):
    zone, hour, first = place
    last = first + data.draw(st.timedeltas(timedelta(0), timedelta(days=900)))

    ends = card_expires_at(
        expires, first=first, last=last, zone=zone, day_starts_at=hour
    )

    if expires.kind == "none":
        assert ends is None
        return
    assert is_an_end(ends, zone, hour)
    if expires.kind != "on":
        used = first if expires.kind == "after_first" else last
        day = add_months(business_day(used, zone, hour), expires.months)
        assert ends == end_of(day, zone, hour)
        assert ends > used


@given(places(), st.integers(1, 999), st.sampled_from("md"))
def test_a_voucher_ends_with_a_business_day(place, count, unit):
    zone, hour, issued = place

    ends = voucher_expires_at(
        f"{count}{unit}", issued=issued, zone=zone, day_starts_at=hour
    )

    assert is_an_end(ends, zone, hour)
    day = business_day(issued, zone, hour)
    if unit == "d":
        assert last_day(ends, zone) == last_day(
            end_of(day + timedelta(days=count), zone, hour), zone
        )
    else:
        assert ends == end_of(add_months(day, count), zone, hour)


@given(places(), st.data(), st.lists(expiries, min_size=1, max_size=4))
def test_of_several_promises_the_latest_counts(place, data, promised):
    zone, hour, first = place
    extended = data.draw(st.one_of(st.none(), moments(zone)))
    how = {"first": first, "last": first, "zone": zone, "day_starts_at": hour}

    ends = promised_until(promised, extended_to=extended, **how)

    each = [card_expires_at(expires, **how) for expires in promised]
    if extended is not None:
        each.append(extended)
    assert ends == (None if None in each else max(each))


def test_a_card_lives_to_the_end_of_its_last_business_day():
    last = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)

    ends = card_expires_at(
        Expiry(kind="after_last", months=1),
        first=None,
        last=last,
        zone=TOKYO,
        day_starts_at=5,
    )

    assert datetime(2026, 2, 28, 20, 0, tzinfo=UTC) == ends


@pytest.mark.parametrize(
    ("first", "months", "ends"),
    [
        # 29 February: a year later on the 28th, four years later on the 29th.
        ((2028, 2, 29, 17), 12, (2029, 3, 1, 10)),
        ((2028, 2, 29, 17), 48, (2032, 3, 1, 10)),
        # 31 January at 4:59 is still the 30th: both end with February.
        ((2027, 1, 31, 9), 1, (2027, 3, 1, 10)),
        # To the end of 7 March 2026: 5:00 of the day on which summer time begins.
        ((2026, 2, 7, 17), 1, (2026, 3, 8, 9)),
        # To the end of 31 October 2026: 5:00 of the day on which it is over.
        ((2026, 9, 30, 17), 1, (2026, 10, 31, 9)),
        ((2026, 10, 1, 17), 1, (2026, 11, 2, 10)),
    ],
)
def test_a_card_in_new_york_ends_at_five_by_the_wall(first, months, ends):
    found = card_expires_at(
        Expiry(kind="after_first", months=months),
        first=datetime(*first, tzinfo=UTC),
        last=None,
        zone=NEW_YORK,
        day_starts_at=5,
    )

    assert found == datetime(*ends, tzinfo=UTC)
    assert found.astimezone(NEW_YORK).hour == 5


def test_a_card_that_was_never_used_has_no_months_to_count():
    for kind in ("after_first", "after_last"):
        ends = card_expires_at(
            Expiry(kind=kind, months=6),
            first=None,
            last=None,
            zone=TOKYO,
            day_starts_at=5,
        )
        assert ends is None


def test_the_last_day_of_the_calendar_is_never():
    ends = card_expires_at(
        Expiry(kind="on", on=date.max),
        first=None,
        last=None,
        zone=NEW_YORK,
        day_starts_at=5,
    )

    assert ends is None


def test_a_voucher_without_a_term_never_ends():
    now = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)

    assert voucher_expires_at(None, issued=now, zone=TOKYO, day_starts_at=0) is None
    thirty = voucher_expires_at("30d", issued=now, zone=TOKYO, day_starts_at=0)
    assert datetime(2026, 3, 2, 15, 0, tzinfo=UTC) == thirty
