"""Customers bring friends: both get stamps after the friend's first one."""

from __future__ import annotations

from datetime import datetime

from core.actions.giving import Gave, give_stamps
from core.actions.join import meet_person
from core.actions.once import once
from core.database import Tx
from core.errors import NotFound
from core.rules.asking import LinePerson, Referred, Refused
from core.rules.types import (
    Card,
    Customer,
    CustomerId,
    Design,
    Merchant,
    MerchantId,
    Why,
)
from core.store.cards import find_card, lock_card
from core.store.customers import find_customer, update_customer
from core.store.journal import note
from core.store.people import (
    count_grants,
    give_referral_code,
    has_brought,
    lock_customers,
    mark_paid,
    standing_customer,
    unpaid_friends,
)

# Crockford's base 32 has no O, I and L: who types one means a digit.
_ALIKE = str.maketrans("OIL", "011", " -\t\u3000")


def referral_code_of(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId, now: datetime
) -> str:
    """The eight letters that a customer gives to friends, made when first asked for.

    Raises `NotFound("customer")`.
    """
    customer = standing_customer(tx, merchant_id, customer_id)
    if customer is None:
        raise NotFound("customer")
    if customer.referral_code is not None:
        return customer.referral_code
    customer = standing_customer(tx, merchant_id, customer.id, lock=True)
    if customer is None:
        raise NotFound("customer")
    if customer.referral_code is not None:
        return customer.referral_code
    actor = f"customer:{customer.id}"
    note(tx, merchant_id, actor, "referral.code_made", customer.id, now)
    return give_referral_code(tx, customer)


def enter_referral(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    code: str,
    key: str,
    now: datetime,
    person: LinePerson | None = None,
    customer_id: CustomerId | None = None,
) -> Referred | Refused:
    """Remember by whose code a new customer (`person` or `customer_id`) came.

    Refused for a code that nobody has, one's own, and for who is not new: has had
    stamps, came by a code already, or has brought somebody. Raises
    `NotFound("customer")`, and `Invalid` for a "key" that asked for something else
    before.
    """
    code = code.upper().translate(_ALIKE)
    friend = (
        meet_person(tx, merchant_id, person, now)
        if person is not None
        else find_customer(tx, merchant_id, id=customer_id or "")
    )
    if friend is None:
        raise NotFound("customer")

    def do() -> Referred | Refused:
        standing = standing_customer(tx, merchant_id, friend.id)
        if standing is None:
            raise NotFound("customer")
        return _enter(tx, standing, code, now)

    asked = ["referral", friend.id, code]
    return once(tx, merchant_id, key, asked, Referred, do, now)


def pay_referral(
    tx: Tx, merchant: Merchant, card: Card, design: Design, now: datetime
) -> None:
    """Give both their stamps where `card` (locked) just had a friend's first stamp.

    A part of granting. Both get them on their card of this program, or on the one that
    stands for it; who brought the friend but has no card that takes stamps goes
    without. Exactly once for a friend, whatever happens at once.
    """
    if design.referral < 1:
        return
    # Nearly always this is all.
    waiting = unpaid_friends(tx, merchant.id, card.customer_id)
    if not waiting:
        return
    friend_id, referrer_id = waiting[0]
    referrer = standing_customer(tx, merchant.id, referrer_id)
    if referrer is not None and referrer.id == card.customer_id:
        # The two turned out to be one person, and were linked.
        return
    if friend_id != card.customer_id and _is_old(tx, merchant, card):
        return
    paid = [mark_paid(tx, merchant.id, each, now) for each, _ in waiting]
    if not paid[0]:
        return
    _give(tx, merchant, card, design.referral, now)
    theirs = referrer and find_card(tx, merchant.id, card.program_id, referrer.id)
    gave = theirs and _give(tx, merchant, theirs, design.referral, now)
    note(
        tx,
        merchant.id,
        f"customer:{friend_id}",
        "referral.paid",
        referrer_id,
        now,
        stamps=design.referral,
        both=isinstance(gave, Gave),
    )


def _enter(tx: Tx, friend: Customer, code: str, now: datetime) -> Referred | Refused:
    merchant_id = friend.merchant_id
    owner = code and find_customer(tx, merchant_id, referral_code=code)
    referrer = owner and standing_customer(tx, merchant_id, owner.id)
    if not referrer:
        return Refused(why=Why.unknown_code)
    if referrer.id == friend.id:
        return Refused(why=Why.same_person)
    # Both, so that two who enter each other's codes at once are seen by one of them.
    lock_customers(tx, merchant_id, (friend.id, referrer.id))
    now_friend = find_customer(tx, merchant_id, id=friend.id)
    came_already = now_friend is None or now_friend.referred_by is not None
    if (
        came_already
        or count_grants(tx, merchant_id, friend.id) > 0
        # Also not where they brought others: nobody comes by who came by them.
        or has_brought(tx, merchant_id, friend.id)
    ):
        return Refused(why=Why.not_new)
    update_customer(tx, merchant_id, friend.id, referred_by=referrer.id)
    actor = f"customer:{friend.id}"
    note(tx, merchant_id, actor, "referral.entered", referrer.id, now)
    return Referred(customer_id=friend.id, referrer_id=referrer.id)


def _is_old(tx: Tx, merchant: Merchant, card: Card) -> bool:
    """Did a person who came by a code link to who had stamps before?"""
    return count_grants(tx, merchant.id, card.customer_id) > 1


def _give(tx: Tx, merchant: Merchant, card: Card, stamps: int, now: datetime) -> object:
    held = lock_card(tx, merchant.id, card.id)
    assert held is not None
    return give_stamps(
        tx, merchant, held, stamps, kind="bonus", how="referral", now=now
    )
