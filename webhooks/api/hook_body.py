"""What a webhook is told: an event with the API's own cards, entries and vouchers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from core.actions.cards import load_card, load_entry
from core.actions.passes import load_pass
from core.actions.redeem import load_voucher
from core.actions.shops import list_shops
from core.database import Tx
from core.errors import NotFound
from core.links import Links
from core.rules.hooks import HookDelivery
from core.rules.types import CardId, EntryId, Merchant, PassId, VoucherId
from webhooks.api.answers import card_answer, entry_answer, local, voucher_answer
from webhooks.api.hook_models import HookAnswer, HookData, PassAnswer

T = TypeVar("T")


def hook_body(
    tx: Tx, merchant: Merchant, links: Links, delivery: HookDelivery, now: datetime
) -> str:
    """The body of a delivery as JSON, with what its event is about as it stands now.

    What is no longer there, because a person was erased since, is left out.
    """
    created_at = local(delivery.made_at, merchant)
    assert created_at is not None
    body = HookAnswer(
        id=delivery.event_id,
        type=delivery.type,
        created_at=created_at,
        merchant=merchant.key,
        data=_data(tx, merchant, links, delivery, now),
    )
    # Only what was never set is left out: a card's own nulls are part of it.
    return body.model_dump_json(exclude_unset=True)


def _data(
    tx: Tx, merchant: Merchant, links: Links, delivery: HookDelivery, now: datetime
) -> HookData:
    ids, found = delivery.data, HookData()
    if "card" in ids:
        view = _or_none(load_card, tx, merchant.id, CardId(ids["card"]), now)
        if view is not None:
            found.card = card_answer(view, merchant, links)
    if "entry" in ids:
        entry = _or_none(load_entry, tx, merchant.id, EntryId(ids["entry"]))
        if entry is not None:
            shops = list_shops(tx, merchant.id)
            found.entry = entry_answer(entry, merchant, shops)
    if "voucher" in ids:
        voucher = _or_none(load_voucher, tx, merchant.id, VoucherId(ids["voucher"]))
        if voucher is not None:
            found.voucher = voucher_answer(voucher, merchant)
    if "pass" in ids:
        held = load_pass(tx, PassId(ids["pass"]), now)
        if held is not None:
            found.held_pass = PassAnswer(id=held.held.id, issuer=held.held.issuer)
    return found


def _or_none(load: Callable[..., T], *where: object) -> T | None:
    try:
        return load(*where)
    except NotFound:
        return None
