"""May this code be used, by this person, here and now? Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import asin, cos, radians, sin, sqrt

from core.rules.asking import Refused
from core.rules.types import Shop, TillCode, Why

Coordinates = tuple[float, float]

# A window's code is shown for so long, and good for as long again: whoever scanned it
# in its last second must still be able to press send.
WINDOW = timedelta(seconds=30)
GRACE = timedelta(seconds=30)

_EARTH_RADIUS_M = 6_371_000


def decide_code(
    code: TillCode,
    *,
    shop: Shop | None,
    place: Coordinates | None,
    was_used: bool,
    tomorrow: datetime,
    now: datetime,
) -> Refused | None:
    """None where `code` may be used. `was_used`: by this person, in the code's sense.

    `shop` is where a code with a radius belongs, `place` where the person is.
    """
    if code.claimed_at is not None:
        return Refused(why=Why.used_code)
    if code.is_over(now):
        return Refused(why=Why.expired_code)
    if was_used:
        if code.kind == "printed":
            return Refused(why=Why.already_today, retry_at=tomorrow)
        return Refused(why=Why.used_code, retry_at=_next_window(code, now))
    return Refused(why=Why.too_far) if _is_far(code, shop, place) else None


def window_start(now: datetime) -> datetime:
    """When the window that `now` is in began."""
    seconds = int(WINDOW.total_seconds())
    return now.replace(microsecond=0) - timedelta(
        seconds=int(now.timestamp()) % seconds
    )


def metres_between(one: Coordinates, other: Coordinates) -> float:
    """The great-circle distance of two places (latitude, longitude in degrees)."""
    (lat1, lon1), (lat2, lon2) = (tuple(map(radians, each)) for each in (one, other))
    chord = (
        sin((lat2 - lat1) / 2) ** 2
        + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    )
    return 2 * _EARTH_RADIUS_M * asin(min(sqrt(chord), 1.0))


def _next_window(code: TillCode, now: datetime) -> datetime | None:
    """From when the till shows the next code; it does already within the grace."""
    if code.expires_at is None:
        return None
    return max(code.expires_at - GRACE, now)


def _is_far(code: TillCode, shop: Shop | None, place: Coordinates | None) -> bool:
    if code.radius_m is None:
        return False
    if shop is None or shop.latitude is None or shop.longitude is None:
        return True
    if place is None:
        return True
    return metres_between(place, (shop.latitude, shop.longitude)) > code.radius_m
