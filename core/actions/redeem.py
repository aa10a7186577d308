"""Use a voucher in front of staff, once; and take that back for ten minutes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from core.actions.history import actor_of
from core.actions.once import once
from core.database import Tx
from core.errors import NotFound
from core.rules.asking import Redeemed, Refused, Undone
from core.rules.cycle import Step
from core.rules.redeeming import decide_redeem, decide_undo_redeem
from core.rules.types import (
    Card,
    EntryId,
    MerchantId,
    ShopId,
    Staff,
    Voucher,
    VoucherId,
)
from core.store import ledger, vouchers
from core.store.cards import lock_card, update_card
from core.store.hooks import emit
from core.store.journal import note
from core.store.merchants import load_merchant
from core.store.passes import announce_passes
from core.store.redemptions import settle_redemption, waiting_of_voucher

Rule = Callable[[Card, Voucher, Staff | None, datetime], Refused | None]


def load_voucher(tx: Tx, merchant_id: MerchantId, voucher_id: VoucherId) -> Voucher:
    """One voucher, whatever became of it. Raises `NotFound("voucher")`."""
    found = vouchers.load_voucher(tx, merchant_id, voucher_id)
    if found is None:
        raise NotFound("voucher")
    return found


def voucher_of_use(tx: Tx, card: Card, entry_id: EntryId) -> Voucher | None:
    """The voucher that this line of the card's history used up, if it still is."""
    found = (v for v in vouchers.all_vouchers(tx, card) if v.redemption_id == entry_id)
    return next(found, None)


def redeem_voucher(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    voucher_id: VoucherId,
    by: Staff | None,
    key: str,
    now: datetime,
    shop_id: ShopId | None = None,
) -> Redeemed | Refused:
    """Use a voucher up, or say why not.

    `by` None is a machine with an API key. Raises `NotFound("voucher")`, and `Invalid`
    for a "key" that asked for something else before.
    """

    def do() -> Redeemed | Refused:
        found = _lock(tx, merchant_id, voucher_id, decide_redeem, by, now)
        if isinstance(found, Refused):
            return found
        return use_up(tx, *found, by, now, shop_id=shop_id)

    return once(tx, merchant_id, key, ["redeem", voucher_id], Redeemed, do, now)


def use_up(
    tx: Tx,
    card: Card,
    voucher: Voucher,
    by: Staff | None,
    now: datetime,
    *,
    shop_id: ShopId | None,
) -> Redeemed:
    """Use up a voucher that may be used, of a (locked) card.

    What the customer asked at the till is done by it, however it came about. A part of
    other actions, not one by itself.
    """
    entry_id = _append(tx, card, voucher, by, now, shop_id=shop_id)
    _put(tx, card, voucher, state="redeemed", redeemed_at=now, redemption_id=entry_id)
    _settle(tx, voucher, by, entry_id, card.merchant_id, now)
    _tell(tx, card, voucher, "voucher.redeemed", by, now)
    merchant = load_merchant(tx, card.merchant_id)
    ids = {"card": card.id, "entry": entry_id, "voucher": voucher.id}
    emit(tx, merchant, "voucher.redeemed", now, **ids)
    return Redeemed(card_id=card.id, voucher_id=voucher.id, entry_id=entry_id)


def undo_redeem(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    voucher_id: VoucherId,
    by: Staff | None,
    key: str,
    now: datetime,
    shop_id: ShopId | None = None,
) -> Undone | Refused:
    """Make a voucher usable again that was used within ten minutes, or say why not.

    Any staff at the counter may; what it raises is as for `redeem_voucher`.
    """

    def do() -> Undone | Refused:
        found = _lock(tx, merchant_id, voucher_id, decide_undo_redeem, by, now)
        if isinstance(found, Refused):
            return found
        card, voucher = found
        assert voucher.redemption_id is not None
        undoes = voucher.redemption_id
        entry_id = _append(tx, card, voucher, by, now, shop_id=shop_id, undoes=undoes)
        _put(tx, card, voucher, state="issued", redeemed_at=None, redemption_id=None)
        _tell(tx, card, voucher, "voucher.unredeemed", by, now)
        return Undone(
            card_id=card.id,
            entry_id=entry_id,
            undoes=undoes,
            stamps=0,
            vouchers=(voucher.id,),
        )

    return once(tx, merchant_id, key, ["unredeem", voucher_id], Undone, do, now)


def _lock(
    tx: Tx,
    merchant_id: MerchantId,
    voucher_id: VoucherId,
    rule: Rule,
    by: Staff | None,
    now: datetime,
) -> tuple[Card, Voucher] | Refused:
    card_id = load_voucher(tx, merchant_id, voucher_id).card_id
    card = lock_card(tx, merchant_id, card_id)
    assert card is not None
    # Read again: another till may have used it while we waited for the lock.
    voucher = load_voucher(tx, merchant_id, voucher_id)
    return rule(card, voucher, by, now) or (card, voucher)


def _append(
    tx: Tx,
    card: Card,
    voucher: Voucher,
    by: Staff | None,
    now: datetime,
    *,
    shop_id: ShopId | None,
    undoes: EntryId | None = None,
) -> EntryId:
    # No stamps move: the line is there so that the history tells of the reward.
    step = Step("undo" if undoes else "redeem", 0, card.balance)
    return ledger.append_entries(
        tx,
        card,
        (step,),
        how="till" if by else "api",
        version=card.version,
        now=now,
        shop_id=shop_id,
        staff_id=by.id if by else None,
        reason=voucher.name,
        undoes=undoes,
    )[0]


def _put(tx: Tx, card: Card, voucher: Voucher, **values: Any) -> None:
    vouchers.update_voucher(tx, card, voucher.id, **values)
    update_card(tx, card)


def _settle(
    tx: Tx,
    voucher: Voucher,
    by: Staff | None,
    entry_id: EntryId,
    merchant_id: MerchantId,
    now: datetime,
) -> None:
    asked = waiting_of_voucher(tx, merchant_id, voucher.id)
    if asked is None:
        return
    if asked.as_of(now).state == "waiting":
        staff_id = by.id if by else None
        settle_redemption(tx, asked, "done", now, staff_id=staff_id, entry_id=entry_id)
    else:
        settle_redemption(tx, asked, "expired", now)
    tx.signal(f"tills:{merchant_id}")


def _tell(
    tx: Tx, card: Card, voucher: Voucher, action: str, by: Staff | None, now: datetime
) -> None:
    announce_passes(tx, card.merchant_id, card.id, now)
    actor = actor_of(by.id if by else None)
    note(tx, card.merchant_id, actor, action, voucher.id, now, card=card.id)
