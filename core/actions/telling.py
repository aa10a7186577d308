"""How a notice reaches its customer: the next answer, else a wallet, else a push.

What customers see never depends on a push: whatever waits is told with the next answer
to them, and stands on their pages anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.database import Tx
from core.rules.pushing import is_quiet, room
from core.rules.reminding import LastNews, News, Notice, NoticeId, days_left
from core.rules.types import Card, CardId, Merchant, MerchantId, Program, VoucherId
from core.store.cards import load_card
from core.store.customers import find_customer
from core.store.merchants import load_merchant
from core.store.notices import (
    Reach,
    has_open_notices,
    load_notice,
    notices_of_person,
    open_notices,
    reach_of,
    shown_notice,
    stuck_replies,
    update_notice,
)
from core.store.outbox import REDESIGN, announce
from core.store.passes import announce_passes
from core.store.people import standing_customer
from core.store.programs import load_program
from core.store.push_plans import count_pushes, count_waiting, load_push_plan
from core.store.vouchers import load_voucher

__all__ = [
    "has_open_notices",
    "last_news",
    "news_of",
    "open_notices",
    "release_replies",
    "route_notices",
    "settle_news",
    "take_news",
]

# A gift that nobody heard of for so long is no news any more; it stays usable.
GIFT_IS_NEWS = timedelta(days=30)
# An answer is out or given up long before.
_REPLY_ENDS = timedelta(hours=1)
# More lines than this nobody reads; the rest waits for the answer after.
_AT_ONCE = 5


def news_of(tx: Tx, notice: Notice, now: datetime) -> News | None:
    """What a notice has to say now; None where it is over, or not wanted."""
    merchant = load_merchant(tx, notice.merchant_id)
    card = notice.card_id and load_card(tx, merchant.id, notice.card_id)
    customer = card and standing_customer(tx, merchant.id, card.customer_id)
    program = card and load_program(tx, merchant.id, card.program_id)
    if not card or not customer or not program or card.state != "active":
        return None
    if notice.kind in customer.muted:
        return None
    if notice.kind == "expiry":
        return _of_stamps(merchant, program, card, notice, now)
    return _of_voucher(tx, merchant, program, notice, now)


def take_news(
    tx: Tx, merchant_id: MerchantId, line_user_id: str, event_id: str, now: datetime
) -> list[News]:
    """What the answer to this event is to tell besides; the same when asked again.

    Nobody else tells it from now on; `settle_news` says whether the answer went out.
    """
    customer = find_customer(tx, merchant_id, line_user_id=line_user_id)
    if customer is None:
        return []
    found: list[News] = []
    for notice in notices_of_person(tx, merchant_id, customer.id):
        is_ours = notice.detail.get("event") == event_id
        if notice.state == "replying" and not is_ours:
            continue
        news = news_of(tx, notice, now)
        if news is None:
            update_notice(tx, notice, state="dropped")
        elif len(found) < _AT_ONCE:
            found.append(news)
            detail = {**notice.detail, "event": event_id}
            taken = {"state": "replying", "route": "reply", "told_at": now}
            update_notice(tx, notice, detail=detail, **taken)
    return found


def settle_news(
    tx: Tx,
    merchant_id: MerchantId,
    line_user_id: str,
    event_id: str,
    *,
    is_told: bool,
    now: datetime,
) -> None:
    """The answer to this event went out, or never will: then its news wait again."""
    customer = find_customer(tx, merchant_id, line_user_id=line_user_id)
    if customer is None:
        return
    for notice in notices_of_person(tx, merchant_id, customer.id):
        if notice.state != "replying" or notice.detail.get("event") != event_id:
            continue
        if is_told:
            update_notice(tx, notice, state="told", told_at=now)
        else:
            update_notice(tx, notice, state="waiting", route="", told_at=None)


def route_notices(
    tx: Tx, merchant_id: MerchantId, ids: Sequence[NoticeId], now: datetime
) -> dict[str, int]:
    """Send on what waits, by the wallet or else by a push, where phones may ring.

    What is over is dropped. How many went which way.
    """
    merchant, plan = load_merchant(tx, merchant_id), load_push_plan(tx, merchant_id)
    quiet = is_quiet(plan, ZoneInfo(merchant.timezone), now)
    queued = sum(n for _, s, n in count_waiting(tx, merchant_id) if s == "queued")
    free = room(plan, count_pushes(tx, plan, now), now) - queued
    is_open = plan.closed_until is None or plan.closed_until <= now
    free = free if plan.is_allowed and is_open else 0
    went = {"wallet": 0, "push": 0, "dropped": 0}
    for notice_id in ids:
        notice = load_notice(tx, merchant_id, notice_id, lock=True)
        if notice is None or notice.state not in {"waiting", "queued"}:
            continue
        if news_of(tx, notice, now) is None:
            update_notice(tx, notice, state="dropped")
            went["dropped"] += 1
        elif not quiet and notice.state == "waiting":
            way = _send_on(tx, notice, now, may_push=free - went["push"] > 0)
            if way:
                went[way] += 1
    return went


def release_replies(tx: Tx, merchant_id: MerchantId, now: datetime) -> int:
    """News whose answer was lost with its process wait again; how many."""
    return stuck_replies(tx, merchant_id, now - _REPLY_ENDS)


def last_news(
    tx: Tx, merchant_id: MerchantId, card_id: CardId, changed_at: int
) -> LastNews | None:
    """What the passes of a card were made to say last, as of that day.

    `changed_at` is when the pass changed last, in seconds since 1970.
    """
    card = load_card(tx, merchant_id, card_id)
    notice = card and shown_notice(tx, card)
    program = card and load_program(tx, merchant_id, card.program_id)
    if not notice or not program:
        return None
    at = datetime.fromisoformat(notice.detail["shown_at"])
    merchant = load_merchant(tx, merchant_id)
    ends = notice.detail.get("ends")
    # Two changes within one second are counted as if in two.
    is_new = changed_at <= int(at.timestamp()) + 1
    return LastNews(_news(merchant, program, notice, ends, at), at, is_new)


def _send_on(tx: Tx, notice: Notice, now: datetime, *, may_push: bool) -> str:
    card = notice.card_id and load_card(tx, notice.merchant_id, notice.card_id)
    assert card
    reach = reach_of(tx, notice.merchant_id, card)
    if reach.wallets and "shown_at" not in notice.detail:
        detail = {**notice.detail, "shown_at": now.isoformat()}
        update_notice(tx, notice, detail=detail)
        announce_passes(tx, notice.merchant_id, card.id, now)
        if _tells(reach):
            update_notice(tx, notice, state="told", route="wallet", told_at=now)
            return "wallet"
    if not may_push or not reach.line_user_id or notice.detail.get("no_push"):
        return ""
    update_notice(tx, notice, state="queued")
    topic = f"push:{notice.id}"
    announce(tx, notice.merchant_id, topic, now, priority=REDESIGN)
    return "push"


def _tells(reach: Reach) -> bool:
    # Google's lock screen tells of stamps alone: it is a way only for who has no other.
    return "apple" in reach.wallets or not reach.line_user_id


def _of_stamps(
    merchant: Merchant, program: Program, card: Card, notice: Notice, now: datetime
) -> News | None:
    ends = notice.detail.get("ends")
    if card.id != notice.card_id or card.next_card_id is not None or not card.balance:
        return None
    # A stamp since then has moved the end: there is nothing to remind of.
    if card.expires_at is None or card.expires_at.isoformat() != ends:
        return None
    if now >= card.expires_at or program.state == "archived":
        return None
    detail = {**notice.detail, "stamps": card.balance}
    return _news(merchant, program, replace(notice, detail=detail), ends, now)


def _of_voucher(
    tx: Tx, merchant: Merchant, program: Program, notice: Notice, now: datetime
) -> News | None:
    voucher = load_voucher(
        tx, merchant.id, VoucherId(str(notice.detail.get("voucher")))
    )
    if voucher is None or voucher.state != "issued":
        return None
    if voucher.expires_at is not None and now >= voucher.expires_at:
        return None
    if notice.kind == "birthday" and now - notice.made_at > GIFT_IS_NEWS:
        return None
    ends = voucher.expires_at.isoformat() if voucher.expires_at else None
    if notice.kind == "voucher" and ends != notice.detail.get("ends"):
        return None
    return _news(merchant, program, notice, ends, now)


def _news(
    merchant: Merchant, program: Program, notice: Notice, ends: str | None, at: datetime
) -> News:
    ends_at = datetime.fromisoformat(ends) if ends else None
    left = 0
    if ends_at is not None:
        zone, starts = ZoneInfo(merchant.timezone), merchant.day_starts_at
        left = max(0, days_left(ends_at, zone, starts, at))
    return News(
        kind=notice.kind,
        card=program.design.name,
        name=str(notice.detail.get("name", "")),
        stamps=int(notice.detail.get("stamps", 0)),
        ends_at=ends_at,
        days_left=left,
    )
