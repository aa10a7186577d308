"""Re-issue: a phone was lost, or another Google account is to hold the card.

Stamps, rewards and history stay on the card; its code and its passes are others. The
first Google account that saves a pass keeps everybody else out, so that a new account
needs a new pass as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.actions.cards import CardView, card_by_code, card_by_id
from core.actions.history import actor_of
from core.actions.once import once
from core.actions.pins import MAY_SERVE
from core.database import Tx
from core.errors import NotFound
from core.rules.asking import Refused
from core.rules.types import Card, CardId, MerchantId, PassId, Staff, Why
from core.store.cards import find_card_by_code, find_card_by_id
from core.store.journal import note
from core.store.linking import end_link_codes
from core.store.old_codes import (
    ReplacedCode,
    find_old_code,
    lock_cards_of,
    renew_code,
    replace_passes,
    was_reissued,
)
from core.store.passes import load_pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reissued:
    """The card that was asked for has new passes now; `n_cards` were re-issued."""

    card_id: CardId
    n_cards: int


def reissue_card(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    code: str,
    by: Staff,
    key: str,
    now: datetime,
) -> Reissued | Refused:
    """Replace the code and the passes of the card with `code`, once.

    So with all cards of its customer: they were on the same phone, and one that led
    to another leads there still. Raises `NotFound("card")`, also for a code that was
    replaced meanwhile, and `Invalid` for a "key" that asked for something else.
    """

    def do() -> Reissued | Refused:
        if by.role not in MAY_SERVE or by.merchant_id != merchant_id:
            return Refused(why=Why.not_allowed)
        held = _lock(tx, merchant_id, code)
        if held.state == "stopped":
            return Refused(why=Why.card_stopped, card_id=held.id)
        return _reissue(tx, held, by, now)

    return once(tx, merchant_id, key, ["reissue", code], Reissued, do, now)


def card_of_link(tx: Tx, value: str, now: datetime) -> CardView | None:
    """The card that a link of ours names by its code; None when that was replaced.

    Links that were made before there was re-issue carry its id.
    """
    view = card_by_code(tx, value, now)
    if view is not None:
        return view
    held = find_card_by_id(tx, CardId(value))
    if held is None or was_reissued(tx, held.merchant_id, CardId(value)):
        return None
    return card_by_id(tx, held.id, now)


def is_link_replaced(tx: Tx, value: str) -> bool:
    """Does a link (its value, as of `card_of_link`, or a pass's id) lead nowhere
    because the card was re-issued?
    """
    if find_old_code(tx, value) is not None:
        return True
    known = load_pass(tx, PassId(value))
    if known is not None:
        return known.replaced_at is not None
    held = find_card_by_id(tx, CardId(value))
    return held is not None and was_reissued(tx, held.merchant_id, CardId(value))


def _lock(tx: Tx, merchant_id: MerchantId, code: str) -> Card:
    held = find_card_by_code(tx, code)
    if held is None or held.merchant_id != merchant_id:
        raise NotFound("card")
    lock_cards_of(tx, merchant_id, held.customer_id)
    # Two tills at once: the second one's code is an old one by now.
    held = find_card_by_code(tx, code)
    if held is None:
        raise NotFound("card")
    return held


def _reissue(tx: Tx, held: Card, by: Staff, now: datetime) -> Reissued:
    cards = lock_cards_of(tx, held.merchant_id, held.customer_id)
    for each in cards:
        renew_code(tx, each, now)
    ids = [each.id for each in cards]
    n_passes = replace_passes(tx, held.merchant_id, ids, now)
    # Nor may a finder take the card into another LINE account.
    for customer_id in sorted({each.customer_id for each in cards}):
        end_link_codes(tx, held.merchant_id, customer_id, now)
    note(
        tx,
        held.merchant_id,
        actor_of(by.id),
        "card.reissued",
        held.id,
        now,
        cards=len(cards),
        passes=n_passes,
    )
    return Reissued(card_id=held.id, n_cards=len(cards))


__all__ = [
    "Reissued",
    "ReplacedCode",
    "card_of_link",
    "find_old_code",
    "is_link_replaced",
    "reissue_card",
]
