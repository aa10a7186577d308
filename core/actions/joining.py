"""How one customer becomes another: found by a code or named, locked, and their cards
merged one after the other. Parts of linking, none by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from core.actions.join import meet_person
from core.actions.merging import Merged, merge_card, own_card
from core.database import Tx
from core.errors import NotFound
from core.rules.asking import LinePerson, Refused
from core.rules.linking import Linked, decide_code, decide_link, stays_by_itself
from core.rules.types import (
    Card,
    Customer,
    CustomerId,
    Merchant,
    MerchantId,
    Why,
)
from core.store import linking
from core.store.cards import cards_of_customer, update_card
from core.store.customers import find_customer, update_customer
from core.store.journal import note
from core.store.merchants import load_merchant
from core.store.passes import announce_passes
from core.store.programs import load_program


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """`joins` (locked) becomes one with `stays` (locked)."""

    merchant: Merchant
    joins: Customer
    stays: Customer
    key: str
    actor: str


def by_code(
    tx: Tx,
    merchant_id: MerchantId,
    text: str,
    person: LinePerson,
    key: str,
    now: datetime,
) -> Joining | Refused:
    """Who is to be joined: the holder of a code with a LINE person, or why not."""
    text = tidy(text)
    code = linking.find_link_code(tx, merchant_id, text, lock=True)
    is_foreign = linking.is_of_another_merchant(tx, merchant_id, text)
    refused = decide_code(code, now, is_foreign=is_foreign)
    if refused is not None or code is None:
        return refused or Refused(why=Why.unknown_code)
    joins = the_customer(tx, merchant_id, code.customer_id, own=True)
    stays = meet_person(tx, merchant_id, person, now)
    return asked_by(tx, merchant_id, joins, stays, key, f"customer:{stays.id}")


def asked_by(
    tx: Tx,
    merchant_id: MerchantId,
    joins: Customer,
    stays: Customer,
    key: str,
    actor: str,
) -> Joining | Refused:
    """The two of them, locked, and by whom it is asked; or why they stay apart."""
    # Who joins is locked before whom they join, here and wherever both are locked.
    joins = the_customer(tx, merchant_id, joins.id, own=True, lock=True)
    stays = the_customer(tx, merchant_id, stays.id, own=True, lock=True)
    refused = decide_link(joins, stays)
    if refused is not None:
        return refused
    return Joining(
        merchant=load_merchant(tx, merchant_id),
        joins=joins,
        stays=stays,
        key=key,
        actor=actor,
    )


def join_people(tx: Tx, asked: Joining, now: datetime) -> Linked | Refused:
    """Make the two one, and remember it; all of it or nothing."""
    with tx.savepoint() as part:
        done = join_cards(tx, asked, now)
        if isinstance(done, Refused):
            part.rollback()
            return done
    merchant, joins, stays = asked.merchant, asked.joins, asked.stays
    link_id = linking.add_link(
        tx,
        merchant.id,
        from_id=joins.id,
        to_id=stays.id,
        moved=tuple(each.moved for each in done),
        now=now,
    )
    cards = tuple(each.moved.to_card for each in done)
    for card_id in cards:
        announce_passes(tx, merchant.id, card_id, now)
        tx.signal(f"card:{card_id}")
    for each in done:
        tx.signal(f"card:{each.moved.from_card}")
    detail = {"from": joins.id, "to": stays.id, "cards": list(cards)}
    note(tx, merchant.id, asked.actor, "card.linked", link_id, now, **detail)
    return Linked(
        link_id=link_id,
        customer_id=stays.id,
        cards=cards,
        vouchers=tuple(voucher for each in done for voucher in each.vouchers),
    )


def join_cards(tx: Tx, asked: Joining, now: datetime) -> list[Merged] | Refused:
    """Merge their cards; what was written by a refusal must be rolled back."""
    merchant, joins, stays = asked.merchant, asked.joins, asked.stays
    done: list[Merged] = []
    cards: list[Card] = []
    for each in cards_of_customer(tx, merchant.id, joins.id):
        card = own_card(tx, merchant, each.id)
        program = load_program(tx, merchant.id, card.program_id)
        if program is None or stays_by_itself(card, program.state):
            continue
        merged = merge_card(tx, merchant, card, stays, asked.key, now)
        if isinstance(merged, Refused):
            return merged
        cards.append(card)
        done.append(merged)
    update_customer(tx, merchant.id, joins.id, merged_into=stays.id)
    linking.lead_on(tx, merchant.id, joins.id, stays.id)
    return _keep_rank(tx, merchant, cards, done)


def _keep_rank(
    tx: Tx, merchant: Merchant, cards: list[Card], done: list[Merged]
) -> list[Merged]:
    """Where a card had ranked up and the other has nothing on it: so has the other."""
    other = {each.moved.from_card: each.moved.to_card for each in done}
    kept = []
    for card, merged in zip(cards, done, strict=True):
        after_id = card.next_card_id and other.get(card.next_card_id)
        to = own_card(tx, merchant, merged.moved.to_card)
        is_empty = not to.balance and to.first_stamp_at is None
        if after_id and is_empty and to.next_card_id is None:
            update_card(tx, to, next_card_id=after_id)
            kept.append(replace(merged, moved=replace(merged.moved, handed_on=True)))
        else:
            kept.append(merged)
    return kept


def the_customer(
    tx: Tx,
    merchant_id: MerchantId,
    customer_id: CustomerId,
    *,
    own: bool = False,
    lock: bool = False,
) -> Customer:
    """The customer that stands for this one, or the very one.

    Raises `NotFound("customer")`, also for one who was erased.
    """
    found = find_customer(tx, merchant_id, lock=lock, own=own, id=customer_id)
    if found is None or found.erased_at is not None:
        raise NotFound("customer")
    return found


def tidy(code: str) -> str:
    """A code as it is kept, however it was typed."""
    return code.strip().upper()
