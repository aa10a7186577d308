"""May a push go out to LINE now, and how many are left? Pure.

LINE's plans count pushes by the month of Japan; answers and passes cost nothing.
https://developers.line.biz/en/docs/messaging-api/pricing/
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from core.errors import Invalid
from core.rules.types import MerchantId

JAPAN = ZoneInfo("Asia/Tokyo")
# LINE refuses a retry key after 24 hours, so then nothing may be sent again.
RETRY_KEY_LIVES = timedelta(hours=24)
LOOK_EVERY = timedelta(hours=1)
MOST = 1_000_000
_HOURS = range(24)

Block = Literal["off", "closed", "quiet", "ceiling", "quota"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PushPlan:
    """How a merchant lets us push, and what LINE said of this month at `looked_at`.

    `ceiling` is our pushes a month at most (None: none of their own). Quiet hours are
    hours (0-23) of the merchant's zone, the same twice for none. `quota` None: no limit
    at LINE. `closed_until`: LINE's monthly limit was reached.
    """

    merchant_id: MerchantId
    is_allowed: bool = False
    ceiling: int | None = None
    quiet_from: int = 21
    quiet_to: int = 9
    closed_until: datetime | None = None
    quota: int | None = None
    used: int | None = None
    looked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Our pushes: told `this_month`, told `since_look`, and those on their way."""

    this_month: int
    since_look: int
    on_their_way: int


def why_no_push(
    plan: PushPlan, counts: Counts, zone: ZoneInfo, now: datetime
) -> Block | None:
    """What keeps one more push from going out now; None: it may."""
    if not plan.is_allowed:
        return "off"
    if plan.closed_until is not None and now < plan.closed_until:
        return "closed"
    if is_quiet(plan, zone, now):
        return "quiet"
    ours = counts.this_month + counts.on_their_way
    if plan.ceiling is not None and ours >= plan.ceiling:
        return "ceiling"
    left = quota_left(plan, counts, now)
    return "quota" if left is not None and left <= 0 else None


def quota_left(plan: PushPlan, counts: Counts, now: datetime) -> int | None:
    """How many pushes LINE still takes this month; None: unknown, or no limit."""
    if plan.quota is None or plan.used is None or not _is_this_month(plan, now):
        return None
    return max(0, plan.quota - plan.used - counts.since_look - counts.on_their_way)


def room(plan: PushPlan, counts: Counts, now: datetime) -> int:
    """How many pushes may be queued now, whatever the hour; at most `MOST`."""
    left = [MOST]
    if plan.ceiling is not None:
        left.append(plan.ceiling - counts.this_month - counts.on_their_way)
    quota = quota_left(plan, counts, now)
    if quota is not None:
        # A look that is old may be wrong: one push goes and looks anew.
        left.append(max(quota, 1) if needs_look(plan, now) else quota)
    return max(0, min(left))


def needs_look(plan: PushPlan, now: datetime) -> bool:
    """Is what LINE said too old to send by?"""
    if plan.looked_at is None or not _is_this_month(plan, now):
        return True
    return now - plan.looked_at > LOOK_EVERY


def is_quiet(plan: PushPlan, zone: ZoneInfo, now: datetime) -> bool:
    """Is it in the hours in which no phone is to ring?"""
    hour, start, end = now.astimezone(zone).hour, plan.quiet_from, plan.quiet_to
    if start <= end:
        return start <= hour < end
    return hour >= start or hour < end


def quiet_ends(plan: PushPlan, zone: ZoneInfo, now: datetime) -> datetime:
    """The first whole hour after `now` at which it is not quiet."""
    at = now
    for _ in range(len(_HOURS) + 2):
        if not is_quiet(plan, zone, at):
            break
        local = at.astimezone(zone)
        at += timedelta(minutes=60 - local.minute, seconds=-local.second)
        at -= timedelta(microseconds=at.microsecond)
    return at


def month_start(now: datetime) -> datetime:
    """When LINE's month began: the 1st, 0:00 in Japan."""
    return now.astimezone(JAPAN).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )


def next_month(now: datetime) -> datetime:
    """When LINE's next month begins."""
    return month_start(month_start(now) + timedelta(days=32))


def check_plan(ceiling: int | None, quiet_from: int, quiet_to: int) -> None:
    """Raise `Invalid` for "ceiling" or "quiet" where they cannot be kept."""
    problems: dict[str, tuple[str, dict[str, object]]] = {}
    if ceiling is not None and not 0 <= ceiling <= MOST:
        problems["ceiling"] = ("messages.invalid.ceiling", {"most": MOST})
    if quiet_from not in _HOURS or quiet_to not in _HOURS:
        problems["quiet"] = ("messages.invalid.quiet", {})
    if problems:
        raise Invalid(problems)


def _is_this_month(plan: PushPlan, now: datetime) -> bool:
    return plan.looked_at is not None and plan.looked_at >= month_start(now)
