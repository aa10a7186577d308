"""Taking two linked customers apart again, within seven days: the stamps that came over
go back, those that were collected since stay where they are.
"""

from __future__ import annotations

from datetime import datetime

from core.actions.history import actor_of
from core.actions.merging import own_card, part_card
from core.actions.once import once
from core.database import Tx
from core.errors import NotFound
from core.rules.asking import Refused
from core.rules.linking import Link, LinkId, Unlinked, decide_unlink
from core.rules.types import CustomerId, Merchant, MerchantId, Staff, Why
from core.store import linking
from core.store.cards import update_card
from core.store.customers import find_customer, update_customer
from core.store.journal import note
from core.store.merchants import load_merchant
from core.store.passes import announce_passes


def links_of(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId, now: datetime
) -> list[Link]:
    """What can still be taken back of a customer's linkings, oldest first."""
    customer = find_customer(tx, merchant_id, id=customer_id)
    if customer is None:
        return []
    found = linking.standing_links(tx, merchant_id, customer.id)
    return [link for link in found if link.can_be_undone(now)]


def unlink_people(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    link_id: LinkId,
    by: Staff | None,
    key: str,
    now: datetime,
) -> Unlinked | Refused:
    """Take a linking back, or say why not; `by` None: the customer themself.

    Refused as a whole where the stamps that came over earned a voucher that was used,
    or cannot be told from what happened since. Raises `NotFound("link")`, and `Invalid`
    for a "key" that asked for something else before.
    """

    def do() -> Unlinked | Refused:
        link = linking.load_link(tx, merchant_id, link_id, lock=True)
        if link is None:
            raise NotFound("link")
        joined = find_customer(tx, merchant_id, lock=True, own=True, id=link.from_id)
        stays = find_customer(tx, merchant_id, lock=True, own=True, id=link.to_id)
        if not joined or not stays or joined.erased_at or stays.erased_at:
            return Refused(why=Why.too_late)
        refused = decide_unlink(link, stays, by, now)
        return refused or _part(tx, load_merchant(tx, merchant_id), link, by, now)

    return once(tx, merchant_id, key, ["unlink", link_id], Unlinked, do, now)


def _part(
    tx: Tx, merchant: Merchant, link: Link, by: Staff | None, now: datetime
) -> Unlinked | Refused:
    # As when linking: a card is locked before the one that it leads to.
    for moved in link.moved:
        own_card(tx, merchant, moved.from_card)
        own_card(tx, merchant, moved.to_card)
    with tx.savepoint() as part:
        for moved in reversed(link.moved):
            refused = part_card(tx, merchant, moved, by, now)
            if refused is not None:
                part.rollback()
                return refused
    update_customer(tx, merchant.id, link.from_id, merged_into=None)
    _lead_back(tx, merchant, link.from_id)
    linking.end_link(tx, link, now)
    cards = tuple(moved.from_card for moved in link.moved)
    for moved in link.moved:
        for card_id in (moved.from_card, moved.to_card):
            announce_passes(tx, merchant.id, card_id, now)
            tx.signal(f"card:{card_id}")
    detail = {"from": link.from_id, "to": link.to_id, "cards": list(cards)}
    actor = actor_of(by.id) if by else f"customer:{link.to_id}"
    note(tx, merchant.id, actor, "card.unlinked", link.id, now, **detail)
    return Unlinked(link_id=link.id, customer_id=link.from_id, cards=cards)


def _lead_back(tx: Tx, merchant: Merchant, customer_id: CustomerId) -> None:
    """Who had joined this customer before leads to them again, not any further."""
    for earlier in linking.standing_links(tx, merchant.id, customer_id):
        update_customer(tx, merchant.id, earlier.from_id, merged_into=customer_id)
        for moved in earlier.moved:
            card = own_card(tx, merchant, moved.from_card)
            update_card(tx, card, merged_into=moved.to_card)
