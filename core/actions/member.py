"""会員証: a customer's cards on their own phone, and the code that staff scan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.actions.cards import CardView, card_by_id, find_cards, ledger
from core.database import Tx
from core.rules.types import CardId, Customer

# For so long a page says what was given.
NEWS_LASTS = timedelta(seconds=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A customer with their cards; `given` is how many stamps each card just got."""

    customer: Customer
    cards: tuple[CardView, ...]
    given: dict[CardId, int]


def load_membership(tx: Tx, card_id: CardId, now: datetime) -> Membership | None:
    """Whoever holds this card, with all their cards in use; None for nobody."""
    held = card_by_id(tx, card_id, now)
    if held is None or held.customer.erased_at is not None:
        return None
    number = held.customer.member_no
    cards = find_cards(tx, held.card.merchant_id, now, member_no=number)
    # Without those that another has taken over from and nothing is left on.
    in_use = [c for c in cards if not c.face.ranked_up or c.face.vouchers] or cards
    given = {view.card.id: _just_given(tx, view, now) for view in in_use}
    return Membership(
        customer=held.customer,
        cards=tuple(in_use),
        given={card: n for card, n in given.items() if n},
    )


def _just_given(tx: Tx, view: CardView, now: datetime) -> int:
    at = view.card.last_stamp_at
    if at is None or now - at > NEWS_LASTS:
        return 0
    latest = ledger(tx, view.card.merchant_id, view.card.id, limit=6)
    undone = {entry.undoes for entry in latest}
    return sum(
        entry.stamps
        for entry in latest
        if entry.kind == "stamp" and entry.at == at and entry.id not in undone
    )
