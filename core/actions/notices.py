"""Notices are made here: reminders of what ends, gifts that came; and who wants none.

How they are told is in `core.actions.telling` and `core.actions.pushes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from core.database import Tx
from core.errors import NotFound
from core.rules.reminding import (
    KINDS,
    Kind,
    NoticeId,
    due_reminder,
    horizon,
    kinds_of,
    occasion,
)
from core.rules.types import (
    Card,
    CustomerId,
    Merchant,
    MerchantId,
    Program,
    ProgramId,
    Voucher,
    VoucherId,
)
from core.store.cards import load_card
from core.store.customers import update_customer
from core.store.ending_soon import Ending, ending_cards, ending_vouchers
from core.store.journal import note
from core.store.merchants import load_merchant
from core.store.notices import add_notice, drop_told_before, made_of, was_made
from core.store.people import standing_customer
from core.store.programs import design_of, list_programs, load_program
from core.store.vouchers import load_voucher

__all__ = [
    "Due",
    "DuePage",
    "add_gift_notice",
    "choose_news",
    "drop_told_before",
    "find_due",
    "kinds_of_shop",
    "make_reminder",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A reminder that seems due: of what, and how many days ahead it was asked for."""

    kind: Kind
    what: Ending
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DuePage:
    """The reminders of one page; `last` is where it ended, None for the last one."""

    due: list[Due]
    last: str | None


def find_due(
    tx: Tx, merchant_id: MerchantId, kind: Kind, after: str, limit: int, now: datetime
) -> DuePage:
    """The reminders of one kind that are due and not made yet, in pages."""
    merchant = load_merchant(tx, merchant_id)
    days = _remind_days(tx, merchant_id, kind)
    if not days:
        return DuePage(due=[], last=None)
    asked = [each for several in days.values() for each in several]
    window = (now, now + horizon(asked))
    look = ending_cards if kind == "expiry" else ending_vouchers
    found = look(tx, merchant_id, list(days), window, after, limit)
    due = {}
    for what in found:
        n = _due_days(merchant, what, days[what.program_id], now)
        if n is not None:
            due[_occasion(what, n)] = Due(kind=kind, what=what, days=n)
    made = made_of(
        tx, merchant_id, kind, {name: d.what.customer_id for name, d in due.items()}
    )
    more = len(found) == limit
    return DuePage(
        due=[each for name, each in due.items() if name not in made],
        last=_id_of(found[-1]) if more else None,
    )


def make_reminder(
    tx: Tx, merchant_id: MerchantId, due: Due, now: datetime
) -> NoticeId | None:
    """The notice of a reminder; None where it is not due any more, or was made."""
    merchant = load_merchant(tx, merchant_id)
    card = load_card(tx, merchant_id, due.what.card_id, own=True)
    if card is None or card.merged_into is not None:
        return None
    detail = _of_stamps(tx, merchant, card, due, now)
    if due.what.voucher_id is not None:
        detail = _of_voucher(tx, merchant_id, due.what.voucher_id, due, now)
    customer = standing_customer(tx, merchant_id, card.customer_id)
    if detail is None or customer is None or due.kind in customer.muted:
        return None
    name = _occasion(due.what, due.days)
    if was_made(tx, merchant_id, customer.id, due.kind, name):
        return None
    return add_notice(tx, card, due.kind, name, detail, now)


def add_gift_notice(
    tx: Tx, card: Card, voucher_id: VoucherId, now: datetime
) -> NoticeId | None:
    """A birthday gift was given: its holder is to hear of it, once."""
    customer = standing_customer(tx, card.merchant_id, card.customer_id)
    voucher = load_voucher(tx, card.merchant_id, voucher_id)
    if customer is None or voucher is None or "birthday" in customer.muted:
        return None
    detail = {"voucher": voucher.id, "name": voucher.name, "ends": _iso(voucher)}
    return add_notice(tx, card, "birthday", voucher.id, detail, now)


def choose_news(
    tx: Tx,
    merchant_id: MerchantId,
    customer_id: CustomerId,
    kind: Kind,
    *,
    wants: bool,
    now: datetime,
) -> tuple[str, ...]:
    """A customer wants notices of this kind, or none; the kinds they have muted now.

    Raises `NotFound("customer")`.
    """
    if kind not in KINDS:
        raise NotFound("kind")
    customer = standing_customer(tx, merchant_id, customer_id, lock=True)
    if customer is None:
        raise NotFound("customer")
    muted = set(customer.muted) - {kind} if wants else {*customer.muted, kind}
    kept = sorted(muted)
    if kept != sorted(customer.muted):
        update_customer(tx, merchant_id, customer.id, muted=kept)
        actor = f"customer:{customer.id}"
        action = "news.wanted" if wants else "news.muted"
        note(tx, merchant_id, actor, action, customer.id, now, kind=kind)
    return tuple(kept)


def kinds_of_shop(tx: Tx, merchant_id: MerchantId) -> tuple[Kind, ...]:
    """The kinds of notices that this shop's cards have."""
    programs = list_programs(tx, merchant_id)
    return kinds_of([p.design for p in programs if p.state != "archived"])


def _remind_days(
    tx: Tx, merchant_id: MerchantId, kind: Kind
) -> dict[ProgramId, tuple[int, ...]]:
    """When each program reminds, as it is published now.

    Stamps of a card that rests cannot be used, nor saved by another stamp: of those
    nobody is reminded.
    """
    return {
        program.id: program.design.remind_days
        for program in list_programs(tx, merchant_id)
        if program.design.remind_days and _reminds(program, kind)
    }


def _reminds(program: Program, kind: Kind) -> bool:
    if kind == "expiry":
        return program.state == "active"
    return program.state != "archived"


def _due_days(
    merchant: Merchant, what: Ending, remind_days: tuple[int, ...], now: datetime
) -> int | None:
    return due_reminder(
        what.expires_at,
        remind_days,
        since=what.since,
        zone=ZoneInfo(merchant.timezone),
        day_starts_at=merchant.day_starts_at,
        now=now,
    )


def _of_stamps(
    tx: Tx, merchant: Merchant, card: Card, due: Due, now: datetime
) -> dict[str, object] | None:
    """What a notice of a card's stamps is about; None where it is no more so."""
    program = load_program(tx, merchant.id, card.program_id)
    design = program and design_of(tx, program, card.version)
    if not design or card.expires_at != due.what.expires_at or now >= card.expires_at:
        return None
    # The stamps of a full card have become a voucher: nothing of them runs out.
    if not 0 < card.balance < design.goal or card.next_card_id is not None:
        return None
    ends = card.expires_at.isoformat()
    return {"stamps": card.balance, "ends": ends, "days": due.days}


def _of_voucher(
    tx: Tx, merchant_id: MerchantId, voucher_id: VoucherId, due: Due, now: datetime
) -> dict[str, object] | None:
    voucher = load_voucher(tx, merchant_id, voucher_id)
    if voucher is None or voucher.state != "issued":
        return None
    ends_at = voucher.expires_at
    if ends_at is None or ends_at != due.what.expires_at or now >= ends_at:
        return None
    detail = {"voucher": voucher.id, "name": voucher.name, "ends": _iso(voucher)}
    return {**detail, "days": due.days}


def _iso(voucher: Voucher) -> str | None:
    return voucher.expires_at.isoformat() if voucher.expires_at else None


def _occasion(what: Ending, days: int) -> str:
    return occasion(_id_of(what), what.expires_at, days)


def _id_of(what: Ending) -> str:
    return what.voucher_id or what.card_id
