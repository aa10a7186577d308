"""Until when a card and a voucher are good: always to the end of a business day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import reduce
from zoneinfo import ZoneInfo

from core.rules.days import add_months, business_day, end_of
from core.rules.redesign import later_expiry
from core.rules.types import Expiry


def card_expires_at(
    expires: Expiry,
    *,
    first: datetime | None,
    last: datetime | None,
    zone: ZoneInfo,
    day_starts_at: int,
) -> datetime | None:
    """When a card with its first and last stamp at these instants ends; None: never.

    31 December 9999, which many a system writes for it, is never too.
    """
    if expires.kind == "on" and expires.on is not None:
        is_never = expires.on == date.max
        return None if is_never else end_of(expires.on, zone, day_starts_at)
    start = {"after_first": first, "after_last": last}.get(expires.kind)
    if start is None:
        return None
    day = add_months(business_day(start, zone, day_starts_at), expires.months)
    return end_of(day, zone, day_starts_at)


def promised_until(
    expiries: Sequence[Expiry],
    *,
    first: datetime | None,
    last: datetime | None,
    extended_to: datetime | None,
    zone: ZoneInfo,
    day_starts_at: int,
) -> datetime | None:
    """When a card ends that was promised each of `expiries` (≥ 1): the latest counts.

    So a design with a shorter expiry takes nothing back. `extended_to` is until when
    the merchant lengthened it by hand.
    """
    ends = [
        card_expires_at(
            expires, first=first, last=last, zone=zone, day_starts_at=day_starts_at
        )
        for expires in expiries
    ]
    return reduce(later_expiry, ends if extended_to is None else [*ends, extended_to])


def voucher_expires_at(
    valid: str | None, *, issued: datetime, zone: ZoneInfo, day_starts_at: int
) -> datetime | None:
    """When a voucher issued now ends: `valid` is "3m", "30d" or None for never."""
    if not valid:
        return None
    count, unit = int(valid[:-1]), valid[-1]
    day = business_day(issued, zone, day_starts_at)
    day = add_months(day, count) if unit == "m" else day + timedelta(count)
    return end_of(day, zone, day_starts_at)
