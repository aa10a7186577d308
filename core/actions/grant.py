"""Give stamps: the heart. One transaction from the key to the announcement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.actions.codes import open_code, settle_code
from core.actions.giving import Gave, current_card, give_stamps
from core.actions.issuing import issue_card
from core.actions.join import meet_person
from core.actions.once import check_question
from core.actions.onward import Spot, stand
from core.actions.outcomes import outcome_from_dict, outcome_to_dict
from core.actions.referral import pay_referral
from core.database import Tx
from core.errors import Invalid
from core.rules.asking import Granted, Refused, StampAsk
from core.rules.granting import Given, GrantFacts, Worth, decide_grant
from core.rules.types import (
    Card,
    CodeKind,
    Customer,
    Design,
    How,
    Merchant,
    Why,
)
from core.store.answers import first_answer, keep_answer, mark_of
from core.store.cards import load_card, lock_card
from core.store.customers import find_customer
from core.store.ledger import grants_since
from core.store.merchants import load_merchant

# The most stamps that one amount may be worth, before double hours.
MAX_AT_ONCE = 1000

# The longest limit counts 72 hours back; a business day may lie 25 hours back.
_RECENT = timedelta(hours=73)

_ON_PAPER: Mapping[CodeKind, How] = {"printed": "printed", "receipt": "receipt"}


def grant_stamps(tx: Tx, ask: StampAsk, now: datetime) -> Granted | Refused:
    """Give the stamps that `ask` asks for, or say why not.

    The key is looked up before any rule, so that a retry gets its first answer even
    when the first stamp itself would now forbid a second. Raises `NotFound` for an
    unknown merchant, `Invalid` for a "key" that asked for something else before and
    for an "amount" on a card whose stamps are not counted by amounts.
    """
    asked = _asked(ask)
    first = first_answer(tx, ask.merchant_id, ask.key, now)
    if first is not None:
        check_question(first, asked)
        return outcome_from_dict(first)
    merchant = load_merchant(tx, ask.merchant_id)
    outcome = (
        _claim(tx, merchant, ask, now) if ask.code else _give(tx, merchant, ask, now)
    )
    answer = {**outcome_to_dict(outcome), "asked": asked}
    keep_answer(tx, ask.merchant_id, ask.key, answer)
    return outcome


def _asked(ask: StampAsk) -> str:
    if ask.code:
        return mark_of([ask.code])
    return mark_of([ask.card_id, ask.amount or ask.stamps, ask.amount is not None])


def _claim(
    tx: Tx, merchant: Merchant, ask: StampAsk, now: datetime
) -> Granted | Refused:
    customer = _who(tx, ask, now)
    if customer is None:
        return Refused(why=Why.no_such_card)
    code = open_code(tx, merchant, customer, ask, now)
    if isinstance(code, Refused):
        return code
    card_id = issue_card(tx, merchant, code.program_id, customer.id, ask.key, now)
    told = replace(
        ask,
        card_id=card_id,
        stamps=code.stamps,
        shop_id=code.shop_id,
        staff_id=code.staff_id,
        # Paper may be copied: the history tells apart what came by it.
        how=_ON_PAPER.get(code.kind, ask.how),
    )
    outcome = _give(tx, merchant, told, now)
    settle_code(tx, merchant, code, customer, outcome, now)
    return outcome


def _who(tx: Tx, ask: StampAsk, now: datetime) -> Customer | None:
    if ask.person is not None:
        # Locked, so that one person's guesses are counted one after another.
        meet_person(tx, ask.merchant_id, ask.person, now)
        return find_customer(
            tx, ask.merchant_id, lock=True, line_user_id=ask.person.user_id
        )
    card = ask.card_id and load_card(tx, ask.merchant_id, ask.card_id)
    if not card:
        return None
    return find_customer(tx, ask.merchant_id, lock=True, id=card.customer_id)


def _give(
    tx: Tx, merchant: Merchant, ask: StampAsk, now: datetime
) -> Granted | Refused:
    asked = ask.card_id and lock_card(tx, merchant.id, ask.card_id)
    if not asked:
        return Refused(why=Why.no_such_card)
    spot = stand(tx, current_card(tx, asked))
    facts = _facts(tx, merchant, spot, ask, now)
    worth = decide_grant(facts)
    if isinstance(worth, Refused):
        return worth
    gave = give_stamps(
        tx,
        merchant,
        spot,
        worth.stamps,
        how=ask.how,
        now=now,
        shop_id=ask.shop_id,
        staff_id=ask.staff_id,
        amount=ask.amount,
        remainder=worth.remainder,
    )
    if isinstance(gave, Refused):
        return gave
    if facts.design.referral and gave.stamps:
        pay_referral(tx, merchant, spot.card, facts.design, now)
    return _granted(gave, worth)


def _granted(gave: Gave, worth: Worth) -> Granted:
    return Granted(
        card_id=gave.card_id,
        entry_id=gave.entry_id,
        stamps=gave.stamps,
        completed=gave.completed,
        vouchers=gave.vouchers,
        next_card_id=gave.next_card_id,
        doubled=worth.doubled,
    )


def _facts(
    tx: Tx, merchant: Merchant, spot: Spot, ask: StampAsk, now: datetime
) -> GrantFacts:
    card, design = spot.card, spot.design
    if ask.amount is not None:
        _check_amount(ask.amount, design)
    return GrantFacts(
        card=card,
        design=design,
        program=spot.program.state,
        stamps=ask.stamps,
        amount=ask.amount,
        recent=_recent(tx, card, design, now),
        zone=ZoneInfo(merchant.timezone),
        day_starts_at=merchant.day_starts_at,
        now=now,
    )


def _check_amount(amount: int, design: Design) -> None:
    if design.spend is None:
        raise Invalid({"amount": ("invalid.amount", {})})
    most = MAX_AT_ONCE * design.spend.per
    if amount > most:
        # A slip of the finger must not fill ten thousand cards in one transaction.
        raise Invalid({"amount": ("invalid.amount_large", {"max": most})})


def _recent(tx: Tx, card: Card, design: Design, now: datetime) -> list[Given]:
    if design.limit.kind == "none" and not design.day_cap:
        return []
    return grants_since(tx, card, now - _RECENT)
