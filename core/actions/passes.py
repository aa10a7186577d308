"""Cards in wallets: made once, registered by devices, found when they changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from core.actions.cards import CardView, card_by_id, load_face
from core.actions.channels import google_credentials
from core.actions.telling import last_news
from core.database import Tx
from core.errors import NotFound
from core.rules.blank import blank_face
from core.rules.face import CardFace, replaced_face
from core.rules.types import (
    CardId,
    HeldPass,
    IssuerName,
    MerchantId,
    PassId,
    ProgramId,
)
from core.store import passes
from core.store.cards import load_card, lock_card
from core.store.hooks import emit
from core.store.journal import note
from core.store.merchants import (
    list_merchants,
    list_shops,
    load_merchant,
    merchants_with_pass_type,
)
from core.store.old_codes import code_until
from core.store.outbox import LAST, announce
from core.store.passes import Behind, count_behind
from core.store.programs import list_programs, load_program


@dataclass(frozen=True, slots=True, kw_only=True)
class PassView:
    """A pass and the face that it shows now."""

    held: HeldPass
    face: CardFace


def hold_pass(
    tx: Tx,
    merchant_id: MerchantId,
    card_id: CardId,
    issuer: IssuerName,
    now: datetime,
    *,
    code: str | None = None,
) -> HeldPass:
    """The card's good pass at this issuer, made once. Raises `NotFound("card")`.

    `code` is the card's as the asker knows it: where the card was re-issued since, the
    new pass is not for them.
    """
    # Locked, or a pass could come behind the back of a re-issue.
    card = lock_card(tx, merchant_id, card_id)
    if card is None or code not in (None, card.code):
        raise NotFound("card")
    return passes.add_pass(tx, merchant_id, card.id, issuer, now)


def load_pass(tx: Tx, pass_id: PassId, now: datetime) -> PassView | None:
    """A pass by its serial number, or None."""
    held = passes.load_pass(tx, pass_id)
    if held is None:
        return None
    face = load_face(tx, held.merchant_id, held.card_id, now)
    if held.replaced_at is not None:
        code = code_until(tx, held.merchant_id, held.card_id, held.replaced_at)
        return PassView(held=held, face=replaced_face(face, code))
    news = last_news(tx, held.merchant_id, held.card_id, held.changed_at)
    return PassView(held=held, face=replace(face, news=news))


def card_of_pass(tx: Tx, pass_id: str, now: datetime) -> CardView | None:
    """The card that a pass shows, for whoever has the link on it.

    None: it is gone, or another pass is good in its stead.
    """
    held = passes.load_pass(tx, PassId(pass_id))
    if held is None or held.replaced_at is not None:
        return None
    return card_by_id(tx, held.card_id, now)


def load_blank(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId, now: datetime
) -> CardFace | None:
    """The newest look of a program, as a card of nobody; None: no such program."""
    program = load_program(tx, merchant_id, program_id)
    if program is None:
        return None
    shops = list_shops(tx, merchant_id)
    return blank_face(load_merchant(tx, merchant_id), program, shops, now)


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


def settle_saved(
    tx: Tx, merchant_id: MerchantId, found: Mapping[PassId, bool], now: datetime
) -> int:
    """Google says of these passes whether anybody has them; how many were news."""
    count = 0
    for pass_id, is_saved in found.items():
        held = passes.load_pass(tx, pass_id)
        if held is None or held.merchant_id != merchant_id or held.issuer != "google":
            continue
        if held.installed != is_saved:
            mark_installed(tx, pass_id, installed=is_saved, now=now)
            count += 1
    return count


def ask_who_holds(tx: Tx, now: datetime) -> int:
    """Have Google asked about every program's passes; how many programs there are."""
    count = 0
    for merchant in list_merchants(tx):
        if google_credentials(tx, merchant.id) is None:
            continue
        for program in list_programs(tx, merchant.id):
            # Behind every redesign: the least urgent of all.
            announce(tx, merchant.id, f"saved:{program.id}", now, LAST)
            count += 1
    return count


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


__all__ = [
    "Behind",
    "PassView",
    "ask_who_holds",
    "card_of_pass",
    "changed_passes",
    "count_behind",
    "forget_push_token",
    "hold_pass",
    "load_blank",
    "load_pass",
    "mark_installed",
    "register_device",
    "settle_saved",
    "unregister_device",
]
