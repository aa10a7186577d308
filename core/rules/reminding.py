"""What is to be said to a customer, and when: pure.

A reminder "n days before" belongs to the day n days before the last one on which stamps
or a voucher are good. Its moment is ten in the morning of that day, in the merchant's
zone: nobody plans a visit in the night.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal, NewType
from zoneinfo import ZoneInfo

from core.rules.days import business_day, last_day
from core.rules.types import CardId, CustomerId, Design, MerchantId

NoticeId = NewType("NoticeId", str)
# Stamps run out, a voucher runs out, a birthday gift is there.
Kind = Literal["expiry", "voucher", "birthday"]
KINDS: tuple[Kind, ...] = ("expiry", "voucher", "birthday")
# "queued" for a push, "sending" once LINE may have it; "replying" while an answer that
# carries it is on its way; "dropped" when it was over before anybody could be told.
NoticeState = Literal["waiting", "queued", "sending", "replying", "told", "dropped"]
Route = Literal["", "reply", "wallet", "push"]

MORNING = time(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is to be said to one customer on one occasion, once.

    `id` is a UUID, and LINE's retry key. `detail` is what it was about when it was
    made; `error` why a push of it failed, as "code: LINE's own words".
    """

    id: NoticeId
    merchant_id: MerchantId
    customer_id: CustomerId
    card_id: CardId | None
    kind: Kind
    detail: dict[str, Any]
    state: NoticeState
    route: Route
    error: str
    made_at: datetime
    told_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What a notice says, as of now and without words.

    `name` is the card's for stamps, else the reward's; `stamps` that run out;
    `days_left` until the last day on which it is good, `ends_at` None for no end.
    """

    kind: Kind
    card: str
    name: str
    stamps: int
    ends_at: datetime | None
    days_left: int


@dataclass(frozen=True, slots=True)
class LastNews:
    """What a pass said last, and when; it stands on the pass until the next.

    `is_new`: nothing else of the pass has changed since.
    """

    news: News
    at: datetime
    is_new: bool = False


def due_reminder(
    expires_at: datetime,
    remind_days: Collection[int],
    *,
    since: datetime | None,
    zone: ZoneInfo,
    day_starts_at: int,
    now: datetime,
) -> int | None:
    """Which of `remind_days` is due now for what ends at `expires_at`; None: none is.

    Of several whose moments have passed only the latest: who was missed for a week is
    told once. None of a day on or before `since`, on which the customer saw the end
    themselves.
    """
    if now >= expires_at:
        return None
    last = last_day(expires_at, zone)
    seen_on = business_day(since, zone, day_starts_at) if since else date.min
    passed = [
        days for days in remind_days if moment_of(last - timedelta(days), zone) <= now
    ]
    if not passed or last - timedelta(min(passed)) <= seen_on:
        return None
    return min(passed)


def moment_of(day: date, zone: ZoneInfo) -> datetime:
    """When a reminder of `day` may first be told (UTC)."""
    return datetime.combine(day, MORNING, zone).astimezone(UTC)


def days_left(
    expires_at: datetime, zone: ZoneInfo, day_starts_at: int, now: datetime
) -> int:
    """How many days come after today's business day until the last good one."""
    return (last_day(expires_at, zone) - business_day(now, zone, day_starts_at)).days


def horizon(remind_days: Collection[int]) -> timedelta:
    """How far ahead of now anything may end that has a reminder due."""
    # Two days more: ten in the morning is early in a day, and days end late.
    return timedelta(max(remind_days, default=0) + 2)


def occasion(what: str, expires_at: datetime, days: int) -> str:
    """The name of a reminder: each is told once.

    With the end in it: a later stamp that moves the end makes another occasion.
    """
    return f"{what}:{expires_at.astimezone(UTC):%Y%m%dT%H%M%S}:{days}"


def kinds_of(designs: Sequence[Design]) -> tuple[Kind, ...]:
    """The kinds of notices that a shop with these designs has."""
    reminding = [design for design in designs if design.remind_days]
    has = {
        "expiry": any(design.expires.kind != "none" for design in reminding),
        "voucher": any(_has_ending_reward(design) for design in reminding),
        "birthday": any(design.birthday for design in designs),
    }
    return tuple(kind for kind in KINDS if has[kind])


def _has_ending_reward(design: Design) -> bool:
    gift = design.birthday
    return any(r.valid for r in design.rewards) or bool(gift and gift.valid)
