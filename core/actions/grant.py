"""Give stamps: the heart. One transaction from the key to the announcement."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.actions.join import issue_card, meet_person
from core.actions.outcomes import outcome_from_dict, outcome_to_dict
from core.actions.vouchers import issue_vouchers
from core.database import Tx
from core.errors import NotFound
from core.rules.asking import Granted, Refused, StampAsk
from core.rules.granting import GrantFacts, GrantPlan, decide_grant
from core.rules.types import (
    Card,
    Customer,
    Design,
    Merchant,
    TillCode,
    Why,
)
from core.store.answers import first_answer, keep_answer
from core.store.cards import load_card, lock_card, update_card
from core.store.customers import append_refusal, find_customer, refusals_since
from core.store.journal import note
from core.store.ledger import append_entries, grants_since
from core.store.merchants import load_merchant
from core.store.passes import announce_passes
from core.store.programs import design_of, load_program
from core.store.till_codes import (
    claim_till_code,
    find_till_code,
    is_of_another_merchant,
)

# Five wrong codes in ten minutes is guessing, not mistyping.
MAX_TRIES = 5
TRIES_WITHIN = timedelta(minutes=10)

# The longest limit counts 72 hours back; a business day may lie 25 hours back.
_RECENT = timedelta(hours=73)


def grant_stamps(tx: Tx, ask: StampAsk, now: datetime) -> Granted | Refused:
    """Give the stamps that `ask` asks for, or say why not.

    The key is looked up before any rule, so that a retry gets its first answer even
    when the first stamp itself would now forbid a second. Raises `NotFound` for an
    unknown merchant.
    """
    first = first_answer(tx, ask.merchant_id, ask.key, now)
    if first is not None:
        return outcome_from_dict(first)
    merchant = load_merchant(tx, ask.merchant_id)
    outcome = (
        _claim(tx, merchant, ask, now) if ask.code else _give(tx, merchant, ask, now)
    )
    keep_answer(tx, ask.merchant_id, ask.key, outcome_to_dict(outcome))
    return outcome


def _claim(
    tx: Tx, merchant: Merchant, ask: StampAsk, now: datetime
) -> Granted | Refused:
    customer = _who(tx, ask, now)
    if customer is None:
        return Refused(why=Why.no_such_card)
    tries = refusals_since(
        tx, merchant.id, customer.id, Why.unknown_code, now - TRIES_WITHIN
    )
    if len(tries) >= MAX_TRIES:
        retry_at = tries[-MAX_TRIES] + TRIES_WITHIN
        return Refused(why=Why.too_many_tries, retry_at=retry_at)
    code = find_till_code(tx, merchant.id, ask.code or "", lock=True)
    why = _unusable(tx, merchant, ask.code or "", code, now)
    if code is None or why is not None:
        why = why or Why.unknown_code
        append_refusal(tx, merchant.id, customer.id, why, (ask.code or "")[:16], now)
        return Refused(why=why)
    card_id = issue_card(tx, merchant, code.program_id, customer.id, ask.key, now)
    outcome = _give(
        tx,
        merchant,
        replace(
            ask,
            card_id=card_id,
            stamps=code.stamps,
            shop_id=code.shop_id,
            staff_id=code.staff_id,
        ),
        now,
    )
    if isinstance(outcome, Granted):
        claim_till_code(tx, code, card_id, outcome.entry_id, now)
    else:
        append_refusal(tx, merchant.id, customer.id, outcome.why, code.code, now)
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


def _unusable(
    tx: Tx, merchant: Merchant, text: str, code: TillCode | None, now: datetime
) -> Why | None:
    if code is None:
        foreign = is_of_another_merchant(tx, merchant.id, text)
        return Why.wrong_merchant if foreign else Why.unknown_code
    if code.claimed_at is not None:
        return Why.used_code
    return Why.expired_code if code.is_over(now) else None


def _give(
    tx: Tx, merchant: Merchant, ask: StampAsk, now: datetime
) -> Granted | Refused:
    card = ask.card_id and lock_card(tx, merchant.id, ask.card_id)
    if not card:
        return Refused(why=Why.no_such_card)
    program = load_program(tx, merchant.id, card.program_id)
    design = program and design_of(tx, program, card.version)
    if not program or not design:
        raise NotFound("program")
    facts = GrantFacts(
        card=card,
        design=design,
        program=program.state,
        stamps=ask.stamps,
        recent=_recent(tx, card, design, now),
        zone=ZoneInfo(merchant.timezone),
        day_starts_at=merchant.day_starts_at,
        now=now,
    )
    plan = decide_grant(facts)
    if isinstance(plan, Refused):
        return plan
    return _write(tx, merchant, ask, facts, plan)


def _recent(tx: Tx, card: Card, design: Design, now: datetime) -> list[datetime]:
    if design.limit.kind == "none":
        return []
    return grants_since(tx, card, now - _RECENT)


def _write(
    tx: Tx, merchant: Merchant, ask: StampAsk, facts: GrantFacts, plan: GrantPlan
) -> Granted:
    card, now = facts.card, facts.now
    entries = append_entries(
        tx,
        card,
        plan.steps,
        how=ask.how,
        version=card.version,
        now=now,
        shop_id=ask.shop_id,
        staff_id=ask.staff_id,
    )
    kinds = [step.kind for step in plan.steps]
    entry_id = entries[kinds.index("stamp")]
    update_card(
        tx,
        card,
        balance=plan.advance.balance,
        cycle=card.cycle + plan.advance.completions,
        total=card.total + ask.stamps,
        first_stamp_at=plan.first_stamp_at,
        last_stamp_at=now,
        expires_at=plan.expires_at,
    )
    granted = Granted(
        card_id=card.id,
        entry_id=entry_id,
        stamps=ask.stamps,
        completed=plan.advance.completions > 0,
        vouchers=issue_vouchers(tx, merchant, card, plan.advance.earned, entry_id, now),
    )
    announce_passes(tx, card.merchant_id, card.id, now)
    note(
        tx,
        card.merchant_id,
        _actor(ask),
        "stamp.granted",
        card.id,
        now,
        stamps=ask.stamps,
        entry=entry_id,
        how=ask.how,
        shop=ask.shop_id,
    )
    return granted


def _actor(ask: StampAsk) -> str:
    return f"staff:{ask.staff_id}" if ask.staff_id else ask.how
