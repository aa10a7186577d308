"""Taking two linked customers apart again, within seven days: the stamps that came over
go back, those that were collected since stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.actions.giving import current_card
from core.actions.history import actor_of, check_reason
from core.actions.merging import design_on, own_card, part_card
from core.actions.once import once
from core.database import Tx
from core.errors import NotFound
from core.rules.asking import Refused
from core.rules.linking import Link, LinkId, Moved, Unlinked, decide_unlink
from core.rules.types import (
    CustomerId,
    Merchant,
    MerchantId,
    Staff,
    VoucherId,
    Why,
)
from core.store import linking
from core.store.cards import cards_of_customer, update_card
from core.store.customers import find_customer, update_customer
from core.store.journal import note
from core.store.merchants import load_merchant
from core.store.passes import announce_passes
from core.store.vouchers import list_vouchers


@dataclass(frozen=True, slots=True, kw_only=True)
class CardApart:
    """What becomes of one program's cards: `back` leave the one for the other.

    `theirs` is then on the card that had come, `yours` on the one that it came to,
    where there are `together` now.
    """

    program_name: str
    together: int
    back: int
    theirs: int
    yours: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlinkPreview:
    """What taking a linking back would do.

    `returning` are the names of the vouchers that go back too, `lost` of those that
    only the sum had earned.
    """

    link: Link
    cards: tuple[CardApart, ...]
    returning: tuple[str, ...]
    lost: tuple[str, ...]


def links_of(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId, now: datetime
) -> list[Link]:
    """What can still be taken back of a customer's linkings, oldest first."""
    customer = find_customer(tx, merchant_id, id=customer_id)
    if customer is None:
        return []
    found = linking.standing_links(tx, merchant_id, customer.id)
    return [link for link in found if link.can_be_undone(now)]


def link_with(
    tx: Tx, merchant_id: MerchantId, customer_id: CustomerId, link_id: LinkId
) -> Link | None:
    """This linking, whether it still stands or not, if it was one of this customer."""
    link = linking.load_link(tx, merchant_id, link_id)
    is_theirs = link is not None and customer_id in (link.from_id, link.to_id)
    return link if is_theirs else None


def preview_unlink(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    link_id: LinkId,
    by: Staff | None,
    now: datetime,
) -> UnlinkPreview | Refused:
    """What `unlink_people` would do, or why it would not. Raises `NotFound("link")`.

    It does it, looks, and rolls back: so call it through `Database.write`.
    """
    with tx.savepoint() as trial:
        link = _lock(tx, merchant_id, link_id, by, now)
        found = link if isinstance(link, Refused) else _try(tx, link, by, now)
        trial.rollback()
    return found


def unlink_people(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    link_id: LinkId,
    by: Staff | None,
    key: str,
    now: datetime,
    reason: str = "",
) -> Unlinked | Refused:
    """Take a linking back, or say why not; `by` None: the customer themself.

    Refused as a whole where the stamps that came over earned a voucher that was used,
    or cannot be told from what happened since. Raises `NotFound("link")`, and `Invalid`
    for a bad "reason", or a "key" that asked for something else before.
    """
    text = check_reason(reason, needed=False)

    def do() -> Unlinked | Refused:
        link = _lock(tx, merchant_id, link_id, by, now)
        return link if isinstance(link, Refused) else _part(tx, link, by, text, now)

    return once(tx, merchant_id, key, ["unlink", link_id], Unlinked, do, now)


def _lock(
    tx: Tx, merchant_id: MerchantId, link_id: LinkId, by: Staff | None, now: datetime
) -> Link | Refused:
    link = linking.load_link(tx, merchant_id, link_id, lock=True)
    if link is None:
        raise NotFound("link")
    joined = find_customer(tx, merchant_id, lock=True, own=True, id=link.from_id)
    stays = find_customer(tx, merchant_id, lock=True, own=True, id=link.to_id)
    if not joined or not stays or joined.erased_at or stays.erased_at:
        return Refused(why=Why.too_late)
    return decide_unlink(link, stays, by, now) or link


def _part_cards(
    tx: Tx, merchant: Merchant, link: Link, by: Staff | None, reason: str, now: datetime
) -> Refused | None:
    """Give back what moved; what was written by a refusal must be rolled back."""
    # As when linking: a card is locked before the one that it leads to.
    for moved in link.moved:
        own_card(tx, merchant, moved.from_card)
        own_card(tx, merchant, moved.to_card)
    for moved in reversed(link.moved):
        refused = part_card(tx, merchant, moved, by, now, reason)
        if refused is not None:
            return refused
    return None


def _try(
    tx: Tx, link: Link, by: Staff | None, now: datetime
) -> UnlinkPreview | Refused:
    merchant = load_merchant(tx, link.merchant_id)
    before = _vouchers(tx, merchant, link.to_id, now)
    together = [_stands_at(tx, merchant, moved) for moved in link.moved]
    refused = _part_cards(tx, merchant, link, by, "", now)
    if refused is not None:
        return refused
    _lead_back(tx, merchant, link.from_id)
    stay = _vouchers(tx, merchant, link.to_id, now)
    back = _vouchers(tx, merchant, link.from_id, now)
    cards = []
    for moved, now_there in zip(link.moved, together, strict=True):
        theirs = own_card(tx, merchant, moved.from_card)
        cards.append(
            CardApart(
                program_name=design_on(tx, theirs).name,
                together=now_there,
                back=moved.stamps,
                theirs=theirs.balance,
                yours=_stands_at(tx, merchant, moved),
            )
        )
    return UnlinkPreview(
        link=link,
        cards=tuple(cards),
        returning=tuple(name for id_, name in back.items() if id_ in before),
        lost=tuple(n for id_, n in before.items() if id_ not in {*stay, *back}),
    )


def _stands_at(tx: Tx, merchant: Merchant, moved: Moved) -> int:
    """The stamps on the card that stamps went to, or on the one that took over."""
    return current_card(tx, own_card(tx, merchant, moved.to_card)).balance


def _vouchers(
    tx: Tx, merchant: Merchant, customer_id: CustomerId, now: datetime
) -> dict[VoucherId, str]:
    """The vouchers that a customer can use, with their names."""
    cards = cards_of_customer(tx, merchant.id, customer_id)
    found = [v for card in cards for v in list_vouchers(tx, merchant.id, card.id, now)]
    return {voucher.id: voucher.name for voucher in found}


def _part(
    tx: Tx, link: Link, by: Staff | None, reason: str, now: datetime
) -> Unlinked | Refused:
    merchant = load_merchant(tx, link.merchant_id)
    with tx.savepoint() as part:
        refused = _part_cards(tx, merchant, link, by, reason, now)
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
    detail |= {"reason": reason} if reason else {}
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
