"""Two customers of a merchant become one: by a one-time code that the one shows the
other's LINE, or by staff who have both cards at the counter. See `core.rules.linking`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.actions.cards import load_face
from core.actions.history import actor_of
from core.actions.joining import (
    Joining,
    asked_by,
    by_code,
    join_cards,
    join_people,
    the_customer,
    tidy,
)
from core.actions.merging import Merged, design_on, own_card
from core.actions.once import once
from core.database import Tx
from core.errors import NotFound
from core.rules.asking import LinePerson, Refused
from core.rules.face import CardFace
from core.rules.linking import (
    CODE_LIVES,
    LinkCode,
    Linked,
)
from core.rules.types import (
    CardId,
    CustomerId,
    Merchant,
    MerchantId,
    Staff,
    Why,
)
from core.store import linking
from core.store.cards import cards_of_customer, load_card
from core.store.customers import find_customer
from core.store.vouchers import list_vouchers
from core.vault import new_code


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSum:
    """What becomes of one program's cards: `theirs` and `yours` make `balance`.

    `theirs` is what moves. `completed`: a card becomes full by it. `rewards` are the
    names of the vouchers that the sum earns, `vouchers` of those that come along.
    """

    program_name: str
    goal: int
    theirs: int
    yours: int
    balance: int
    completed: bool
    rewards: tuple[str, ...]
    vouchers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPreview:
    """What linking would do: the sums, and the faces of all cards after it."""

    sums: tuple[CardSum, ...]
    faces: tuple[CardFace, ...]


def make_link_code(
    tx: Tx, merchant_id: MerchantId, card_id: CardId, now: datetime
) -> LinkCode | Refused:
    """A code for the holder of this card, good once and for ten minutes.

    It takes the place of any earlier one. Refused where they are in LINE already.
    Raises `NotFound("card")`.
    """
    card = load_card(tx, merchant_id, card_id)
    customer = card and find_customer(tx, merchant_id, id=card.customer_id)
    if not customer or customer.erased_at is not None:
        raise NotFound("card")
    if customer.line_user_id is not None:
        return Refused(why=Why.already_linked, card_id=card_id)
    linking.end_link_codes(tx, merchant_id, customer.id, now)
    while True:
        code = LinkCode(
            code=new_code(8), customer_id=customer.id, expires_at=now + CODE_LIVES
        )
        if linking.add_link_code(tx, merchant_id, code, now):
            return code


def preview_link(
    tx: Tx, merchant_id: MerchantId, code: str, person: LinePerson, now: datetime
) -> LinkPreview | Refused:
    """What `link_people` with this code would do, or why it would not.

    It does it, looks, and rolls back: so call it through `Database.write`.
    """
    with tx.savepoint() as trial:
        found = _try(tx, merchant_id, code, person, now)
        trial.rollback()
    return found


def link_people(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    code: str,
    person: LinePerson,
    key: str,
    now: datetime,
) -> Linked | Refused:
    """Make the holder of `code` one with a LINE person, or say why not.

    Raises `Invalid` for a "key" that asked for something else before.
    """
    text = tidy(code)

    def do() -> Linked | Refused:
        asked = by_code(tx, merchant_id, text, person, key, now)
        outcome = asked if isinstance(asked, Refused) else join_people(tx, asked, now)
        if isinstance(outcome, Linked):
            linking.use_link_code(tx, merchant_id, text, now)
        return outcome

    return once(tx, merchant_id, key, ["link", text], Linked, do, now)


def link_customers(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    from_id: CustomerId,
    to_id: CustomerId,
    by: Staff,
    key: str,
    now: datetime,
) -> Linked | Refused:
    """Make two customers one whose cards staff have seen, or say why not.

    The one with LINE stays, whichever was named first. Raises `NotFound("customer")`,
    and `Invalid` for a "key" that asked for something else before.
    """

    def do() -> Linked | Refused:
        if by.role == "viewer":
            return Refused(why=Why.not_allowed)
        joins = the_customer(tx, merchant_id, from_id, own=True)
        stays = the_customer(tx, merchant_id, to_id)
        if joins.id == stays.id and from_id != to_id:
            return Refused(why=Why.already_linked)
        if joins.line_user_id and not stays.line_user_id:
            joins, stays = the_customer(tx, merchant_id, stays.id, own=True), joins
        asked = asked_by(tx, merchant_id, joins, stays, key, actor_of(by.id))
        return asked if isinstance(asked, Refused) else join_people(tx, asked, now)

    asked = ["link-customers", from_id, to_id]
    return once(tx, merchant_id, key, asked, Linked, do, now)


def _try(
    tx: Tx, merchant_id: MerchantId, code: str, person: LinePerson, now: datetime
) -> LinkPreview | Refused:
    asked = by_code(tx, merchant_id, code, person, "preview", now)
    if isinstance(asked, Refused):
        return asked
    done = join_cards(tx, asked, now)
    return done if isinstance(done, Refused) else _preview(tx, asked, done, now)


def _preview(tx: Tx, asked: Joining, done: list[Merged], now: datetime) -> LinkPreview:
    merchant_id = asked.merchant.id
    cards = cards_of_customer(tx, merchant_id, asked.stays.id)
    return LinkPreview(
        sums=tuple(_sum(tx, asked.merchant, each, now) for each in done),
        faces=tuple(load_face(tx, merchant_id, card.id, now) for card in cards),
    )


def _sum(tx: Tx, merchant: Merchant, merged: Merged, now: datetime) -> CardSum:
    card = own_card(tx, merchant, merged.onto)
    open_now = list_vouchers(tx, merchant.id, merged.moved.to_card, now)
    new = set(merged.vouchers)
    came = [v for v in open_now if v.card_id == merged.moved.from_card]
    design = design_on(tx, card)
    return CardSum(
        program_name=design.name,
        goal=design.goal,
        theirs=merged.moved.stamps,
        yours=merged.yours,
        balance=card.balance,
        completed=merged.completed,
        rewards=tuple(v.name for v in open_now if v.id in new),
        vouchers=tuple(voucher.name for voucher in came),
    )
