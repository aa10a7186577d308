"""Birthdays: told by the customer, and a gift on the day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.actions.notices import add_gift_notice
from core.actions.vouchers import issue_vouchers
from core.database import Tx
from core.errors import NotFound
from core.rules.birthdays import (
    AHEAD,
    birthday_text,
    birthdays_on,
    first_reward_on,
    is_due,
    morning_of,
)
from core.rules.claiming import is_open_card
from core.rules.cycle import Step
from core.rules.days import business_day, end_of
from core.rules.types import (
    Card,
    Customer,
    CustomerId,
    Gift,
    Merchant,
    MerchantId,
    Reward,
    VoucherId,
)
from core.store.answers import are_answered, first_answer, keep_answer
from core.store.cards import cards_of_customer, lock_card, update_card
from core.store.customers import find_customer, update_customer
from core.store.journal import note
from core.store.ledger import append_entries
from core.store.merchants import load_merchant
from core.store.passes import announce_passes
from core.store.people import (
    Celebration,
    born_on,
    forget_birthdays,
    standing_customer,
)
from core.store.programs import design_of, load_program

# So many days back a birthday is made up for on which the service was down.
MADE_UP = 7


def tell_birthday(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    customer_id: CustomerId,
    month: int,
    day: int,
    now: datetime,
) -> date:
    """Remember a customer's birthday; the day of the first gift it can bring.

    To tell the same again changes nothing; another one waits anew. Raises `Invalid` for
    "birthday", `NotFound("customer")`.
    """
    birthday = birthday_text(month, day)
    merchant = load_merchant(tx, merchant_id)
    customer = standing_customer(tx, merchant_id, customer_id, lock=True)
    if customer is None:
        raise NotFound("customer")
    told_at = customer.birthday_told_at
    if customer.birthday != birthday or told_at is None:
        told_at = now
        update_customer(
            tx, merchant_id, customer.id, birthday=birthday, birthday_told_at=now
        )
        # Which day it is stays out of the log.
        actor = f"customer:{customer.id}"
        note(tx, merchant_id, actor, "birthday.told", customer.id, now)
    return first_reward_on(birthday, _business_day(merchant, told_at))


def forget_birthday(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId, now: datetime
) -> None:
    """Forget a customer's birthday; gifts stay. Raises `NotFound("customer")`."""
    customer = standing_customer(tx, merchant_id, customer_id, lock=True)
    if customer is None:
        raise NotFound("customer")
    forget_birthdays(tx, merchant_id, customer.id)
    actor = f"customer:{customer.id}"
    note(tx, merchant_id, actor, "birthday.forgotten", customer.id, now)


def days_to_celebrate(tx: Tx, merchant_id: MerchantId, now: datetime) -> list[date]:
    """The business days whose gifts may be missing, oldest first.

    Today from its morning on, and those of the last 7 days that nobody has closed.
    """
    merchant = load_merchant(tx, merchant_id)
    zone, today = ZoneInfo(merchant.timezone), _business_day(merchant, now)
    past = [today - timedelta(back) for back in range(MADE_UP, 0, -1)]
    closed = are_answered(tx, merchant_id, [_day_key(day) for day in past])
    days = [day for day in past if _day_key(day) not in closed]
    if now >= morning_of(today, zone, merchant.day_starts_at):
        days.append(today)
    return days


def close_day(tx: Tx, merchant_id: MerchantId, day: date, now: datetime) -> None:
    """All gifts of `day` were given: once it is over, it is looked at no more."""
    # Today goes on: somebody's first card of this afternoon may bring a gift too.
    if day >= _business_day(load_merchant(tx, merchant_id), now):
        return
    if first_answer(tx, merchant_id, _day_key(day), now) is None:
        keep_answer(tx, merchant_id, _day_key(day), {"done": True})


def find_celebrated(
    tx: Tx, merchant_id: MerchantId, day: date, after: CustomerId | None, limit: int
) -> list[CustomerId]:
    """Customers whose gifts of `day` may be missing, in pages: those `after` one."""
    merchant = load_merchant(tx, merchant_id)
    days = (ZoneInfo(merchant.timezone), merchant.day_starts_at)
    wanted = Celebration(
        birthdays=birthdays_on(day),
        told_before=end_of(day - AHEAD, *days),
        issued_before=end_of(day, *days),
        key=_gift_key(day, ""),
    )
    return born_on(tx, merchant_id, wanted, after=after, limit=limit)


def give_gifts(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    customer_id: CustomerId,
    day: date,
    now: datetime,
) -> tuple[VoucherId, ...]:
    """The gifts of every card of a customer whose birthday is on `day`.

    Once a year for a customer, whoever asks however often.
    """
    merchant = load_merchant(tx, merchant_id)
    customer = standing_customer(tx, merchant_id, customer_id, lock=True)
    told = find_customer(tx, merchant_id, own=True, id=customer_id)
    if customer is None or told is None or not _has_birthday(merchant, told, day):
        return ()
    if told.id != customer.id and customer.birthday is not None:
        # Linked to somebody who told a birthday of their own.
        return ()
    gifts = _gifts(tx, merchant, customer, day)
    key = _gift_key(day, customer.id)
    if not gifts or first_answer(tx, merchant_id, key, now) is not None:
        return ()
    vouchers = tuple(_give(tx, merchant, *each, now) for each in gifts)
    keep_answer(tx, merchant_id, key, {"vouchers": vouchers})
    return vouchers


def _has_birthday(merchant: Merchant, told: Customer, day: date) -> bool:
    if told.birthday not in birthdays_on(day) or told.birthday_told_at is None:
        return False
    return is_due(day, _business_day(merchant, told.birthday_told_at))


def _gifts(
    tx: Tx, merchant: Merchant, customer: Customer, day: date
) -> Sequence[tuple[Card, Gift]]:
    """The customer's cards that bring a gift, locked."""
    zone, found = ZoneInfo(merchant.timezone), []
    ends_at = end_of(day, zone, merchant.day_starts_at)
    for each in cards_of_customer(tx, merchant.id, customer.id):
        card = lock_card(tx, merchant.id, each.id, own=True)
        program = card and load_program(tx, merchant.id, card.program_id)
        design = card and program and design_of(tx, program, card.version)
        if not card or not program or not design or design.birthday is None:
            continue
        is_good = program.state == "active" and is_open_card(card, program.state)
        if is_good and card.issued_at < ends_at:
            found.append((card, design.birthday))
    return found


def _give(
    tx: Tx, merchant: Merchant, card: Card, gift: Gift, now: datetime
) -> VoucherId:
    # No stamps move: the line is there so that the history tells of the gift.
    [entry_id] = append_entries(
        tx,
        card,
        (Step("bonus", 0, card.balance),),
        how="birthday",
        version=card.version,
        now=now,
        reason=gift.name,
    )
    reward = Reward(at=0, name=gift.name, valid=gift.valid)
    [voucher_id] = issue_vouchers(tx, merchant, card, (reward,), entry_id, now)
    update_card(tx, card)
    announce_passes(tx, merchant.id, card.id, now)
    add_gift_notice(tx, card, voucher_id, now)
    note(tx, merchant.id, "rule", "birthday.given", card.id, now, voucher=voucher_id)
    return voucher_id


def _business_day(merchant: Merchant, at: datetime) -> date:
    return business_day(at, ZoneInfo(merchant.timezone), merchant.day_starts_at)


def _gift_key(day: date, customer_id: str) -> str:
    return f"birthday:{day.year}:{customer_id}"


def _day_key(day: date) -> str:
    return f"birthdays:{day.isoformat()}"
