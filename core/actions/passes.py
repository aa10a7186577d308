"""Cards in wallets: made once, registered by devices, found when they changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.actions.cards import load_face
from core.database import Tx
from core.errors import NotFound
from core.rules.face import CardFace
from core.rules.types import (
    CardId,
    HeldPass,
    IssuerName,
    MerchantId,
    PassId,
)
from core.store import passes
from core.store.cards import load_card
from core.store.hooks import emit
from core.store.journal import note
from core.store.merchants import load_merchant, merchants_with_pass_type
from core.store.outbox import announce


@dataclass(frozen=True, slots=True, kw_only=True)
class PassView:
    """A pass and the face that it shows now."""

    held: HeldPass
    face: CardFace


def hold_pass(
    tx: Tx, merchant_id: MerchantId, card_id: CardId, issuer: IssuerName, now: datetime
) -> HeldPass:
    """The card's pass at this issuer, made once. Raises `NotFound("card")`."""
    card = load_card(tx, merchant_id, card_id)
    if card is None:
        raise NotFound("card")
    return passes.add_pass(tx, merchant_id, card.id, issuer, now)


def load_pass(tx: Tx, pass_id: PassId, now: datetime) -> PassView | None:
    """A pass by its serial number, or None."""
    held = passes.load_pass(tx, pass_id)
    if held is None:
        return None
    face = load_face(tx, held.merchant_id, held.card_id, now)
    return PassView(held=held, face=face)


def register_device(
    tx: Tx, pass_id: PassId, device_id: str, push_token: str, now: datetime
) -> bool:
    """A device wants pushes for a pass. True when it is new. Raises `NotFound`."""
    held = _the_pass(tx, pass_id)
    is_new = passes.put_device(tx, held, device_id, push_token, now)
    if is_new:
        _note(tx, held, "pass.installed", now)
    return is_new


def unregister_device(tx: Tx, pass_id: PassId, device_id: str, now: datetime) -> bool:
    """A device wants no more pushes. False when it had not registered."""
    held = _the_pass(tx, pass_id)
    was_there = passes.drop_device(tx, held, device_id)
    if was_there:
        _note(tx, held, "pass.removed", now)
    return was_there


def forget_push_token(
    tx: Tx, merchant_id: MerchantId, push_token: str, registered_before: datetime | None
) -> None:
    """APNs says the token is dead (as of `registered_before`, if it says when)."""
    passes.drop_push_token(tx, merchant_id, push_token, registered_before)


def changed_passes(
    tx: Tx, pass_type_id: str, device_id: str, since: int | None
) -> list[PassId] | None:
    """A device's passes of this type, changed at or after `since` (seconds; None: all).

    None when the device has registered for none of them.
    """
    merchants = merchants_with_pass_type(tx, pass_type_id)
    return passes.changed_passes(tx, device_id, merchants, since)


def mark_installed(tx: Tx, pass_id: PassId, *, installed: bool, now: datetime) -> None:
    """Google says that a pass was saved or removed. Unknown ones are ignored."""
    held = passes.load_pass(tx, pass_id)
    if held is None or held.installed == installed:
        return
    passes.set_installed(tx, held, installed=installed)
    if installed:
        # It may have been saved in an earlier state than the card has now.
        announce(tx, held.merchant_id, f"pass:{held.id}", now)
    _note(tx, held, "pass.installed" if installed else "pass.removed", now)


def _the_pass(tx: Tx, pass_id: PassId) -> HeldPass:
    held = passes.load_pass(tx, pass_id)
    if held is None:
        raise NotFound("pass")
    return held


def _note(
    tx: Tx,
    held: HeldPass,
    action: Literal["pass.installed", "pass.removed"],
    now: datetime,
) -> None:
    note(tx, held.merchant_id, held.issuer, action, held.card_id, now)
    merchant = load_merchant(tx, held.merchant_id)
    emit(tx, merchant, action, now, **{"card": held.card_id, "pass": held.id})
    card = load_card(tx, held.merchant_id, held.card_id)
    tx.signal(f"card:{card.id if card else held.card_id}")
