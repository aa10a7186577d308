"""Pushes into LINE: what a merchant allows, and each sent once under one key.

Whoever counts what is left holds the plan's lock, so that two processes at once never
send more than the ceiling or LINE's quota.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.actions.telling import news_of
from core.database import Tx
from core.rules.asking import Refused
from core.rules.pushing import (
    RETRY_KEY_LIVES,
    Counts,
    PushPlan,
    check_plan,
    is_quiet,
    month_start,
    next_month,
    quiet_ends,
    why_no_push,
)
from core.rules.reminding import News, Notice, NoticeId
from core.rules.types import Language, Merchant, MerchantId, Staff, Why
from core.store.cards import load_card
from core.store.journal import note
from core.store.merchants import load_merchant
from core.store.notices import (
    failed_notices,
    load_notice,
    reach_of,
    update_notice,
)
from core.store.people import standing_customer
from core.store.push_plans import (
    count_pushes,
    count_this_month,
    count_waiting,
    load_push_plan,
    lock_push_plan,
    put_push_plan,
)

Body = Sequence[dict[str, Any]]
# Puts news into the messages of a push, for a reader of this language.
Draw = Callable[[News, Merchant, Language], Body]

_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A push that may go out: the same body each time, as LINE's retry key wants it."""

    line_user_id: str
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """LINE may have the push already, and it is quiet: ask again then."""

    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PushReport:
    """All that the page of pushes shows. `told` and `waiting` are counts."""

    plan: PushPlan
    counts: Counts
    told: list[tuple[str, str, int]]
    waiting: list[tuple[str, str, int]]
    failures: list[tuple[Notice, str]]


def load_plan(tx: Tx, merchant_id: MerchantId) -> PushPlan:
    """How the merchant lets us push; nothing is allowed where nobody said so."""
    return load_push_plan(tx, merchant_id)


def save_plan(
    tx: Tx,
    merchant_id: MerchantId,
    *,
    is_allowed: bool,
    ceiling: int | None,
    quiet_from: int,
    quiet_to: int,
    by: Staff,
    now: datetime,
) -> PushPlan | Refused:
    """Keep what an owner allows. Raises `Invalid` for "ceiling" or "quiet"."""
    if by.role != "owner":
        return Refused(why=Why.not_allowed)
    check_plan(ceiling, quiet_from, quiet_to)
    before = lock_push_plan(tx, merchant_id, now)
    values = {
        "is_allowed": is_allowed,
        "ceiling": ceiling,
        "quiet_from": quiet_from,
        "quiet_to": quiet_to,
    }
    changed = {k: v for k, v in values.items() if getattr(before, k) != v}
    if changed:
        put_push_plan(tx, merchant_id, now, **values)
        actor = f"staff:{by.id}"
        note(tx, merchant_id, actor, "push.changed", merchant_id, now, **changed)
    return load_push_plan(tx, merchant_id)


def keep_quota(
    tx: Tx,
    merchant_id: MerchantId,
    *,
    quota: int | None,
    used: int,
    now: datetime,
    reopens: bool = False,
) -> PushPlan:
    """What LINE said of this month; `quota` None is no limit.

    `reopens`: somebody asked because they have changed the plan at LINE; where there is
    room again, a month that was closed is open.
    """
    lock_push_plan(tx, merchant_id, now)
    put_push_plan(tx, merchant_id, now, quota=quota, used=used, looked_at=now)
    if reopens and (quota is None or used < quota):
        put_push_plan(tx, merchant_id, now, closed_until=None)
    return load_push_plan(tx, merchant_id)


def begin_push(
    tx: Tx, merchant_id: MerchantId, notice_id: NoticeId, draw: Draw, now: datetime
) -> Begun | Wait | None:
    """Take one push out of what is left, or the one again that was begun before.

    None where there is nothing to send: told, over, or not allowed now; what is still
    to be told waits for the next answer or the next hour.
    """
    plan = lock_push_plan(tx, merchant_id, now)
    notice = load_notice(tx, merchant_id, notice_id, lock=True)
    if notice is None:
        return None
    if notice.state == "sending":
        return _begin_again(tx, plan, notice, now)
    if notice.state != "queued":
        return None
    merchant = load_merchant(tx, merchant_id)
    news, user_id, language = _now_of(tx, merchant, notice, now)
    if news is None:
        update_notice(tx, notice, state="dropped")
        return None
    counts = count_pushes(tx, plan, now)
    zone = ZoneInfo(merchant.timezone)
    if not user_id or why_no_push(plan, counts, zone, now) is not None:
        update_notice(tx, notice, state="waiting")
        return None
    body = list(draw(news, merchant, language))
    # Written down before it is sent: a retry after a crash must be the same to a byte.
    detail = {**notice.detail, "body": body, "to": user_id, "sent_at": now.isoformat()}
    update_notice(tx, notice, state="sending", route="push", detail=detail, error="")
    return Begun(line_user_id=user_id, body=body)


def push_told(
    tx: Tx, merchant_id: MerchantId, notice_id: NoticeId, now: datetime
) -> None:
    """LINE has taken it, now or at an earlier try."""
    notice = load_notice(tx, merchant_id, notice_id, lock=True)
    if notice is not None and notice.state == "sending":
        values = {"state": "told", "route": "push", "told_at": now, "error": ""}
        update_notice(tx, notice, detail=_without_body(notice), **values)


def push_refused(
    tx: Tx, merchant_id: MerchantId, notice_id: NoticeId, error: str, *, for_good: bool
) -> None:
    """LINE did not take it: it waits to be told by an answer.

    `error` is a code, and LINE's own words after a colon; `for_good`: no push of it is
    tried again.
    """
    notice = load_notice(tx, merchant_id, notice_id, lock=True)
    if notice is not None and notice.state == "sending":
        _give_back(tx, notice, error, for_good=for_good)


def push_held(tx: Tx, merchant_id: MerchantId, notice_id: NoticeId) -> None:
    """There is no channel to push by: it waits for an answer, or for the next hour."""
    notice = load_notice(tx, merchant_id, notice_id, lock=True)
    if notice is not None and notice.state == "queued":
        update_notice(tx, notice, state="waiting")
    elif notice is not None and notice.state == "sending":
        _give_back(tx, notice, "connection", for_good=True)


def close_month(
    tx: Tx, merchant_id: MerchantId, notice_id: NoticeId, now: datetime
) -> datetime:
    """LINE's monthly limit is reached: no push before the 1st; when that is."""
    plan = lock_push_plan(tx, merchant_id, now)
    until = next_month(now)
    if plan.closed_until is None or plan.closed_until < until:
        put_push_plan(tx, merchant_id, now, closed_until=until)
        said = until.isoformat()
        note(tx, merchant_id, "line", "push.closed", merchant_id, now, until=said)
    notice = load_notice(tx, merchant_id, notice_id, lock=True)
    if notice is not None and notice.state == "sending":
        _give_back(tx, notice, "", for_good=False)
    return until


def push_report(tx: Tx, merchant_id: MerchantId, now: datetime) -> PushReport:
    """Where pushes and other notices of a merchant stand this month."""
    plan = load_push_plan(tx, merchant_id)
    return PushReport(
        plan=plan,
        counts=count_pushes(tx, plan, now),
        told=count_this_month(tx, merchant_id, now),
        waiting=count_waiting(tx, merchant_id),
        failures=failed_notices(tx, merchant_id, month_start(now), _SHOWN),
    )


def _begin_again(
    tx: Tx, plan: PushPlan, notice: Notice, now: datetime
) -> Begun | Wait | None:
    """An earlier try whose end nobody saw: the same bytes under the same key."""
    merchant = load_merchant(tx, notice.merchant_id)
    began = datetime.fromisoformat(notice.detail["sent_at"])
    is_closed = plan.closed_until is not None and now < plan.closed_until
    if now - began >= RETRY_KEY_LIVES or not plan.is_allowed or is_closed:
        # Without the key, LINE could no more tell a second one from the first.
        _give_back(tx, notice, "late", for_good=True)
        return None
    zone = ZoneInfo(merchant.timezone)
    if is_quiet(plan, zone, now):
        return Wait(until=quiet_ends(plan, zone, now))
    return Begun(line_user_id=notice.detail["to"], body=notice.detail["body"])


def _now_of(
    tx: Tx, merchant: Merchant, notice: Notice, now: datetime
) -> tuple[News | None, str, Language]:
    """What it says now, to whom in LINE ("": nobody), and in which language."""
    news = news_of(tx, notice, now)
    card = notice.card_id and load_card(tx, merchant.id, notice.card_id)
    customer = card and standing_customer(tx, merchant.id, card.customer_id)
    if news is None or not card or not customer:
        return None, "", "ja"
    language = customer.language
    if language not in merchant.languages:
        language = merchant.languages[0]
    return news, reach_of(tx, merchant.id, card).line_user_id, language


def _give_back(tx: Tx, notice: Notice, error: str, *, for_good: bool) -> None:
    detail = _without_body(notice) | ({"no_push": True} if for_good else {})
    values = {"state": "waiting", "route": "", "error": error[:500]}
    update_notice(tx, notice, detail=detail, **values)


def _without_body(notice: Notice) -> dict[str, Any]:
    gone = {"body", "to", "sent_at"}
    return {k: v for k, v in notice.detail.items() if k not in gone}
