"""Where no till is, staff confirm a reward by their PIN on the customer's phone."""

from __future__ import annotations

from datetime import datetime

from core.actions.pins import PinRefused, check_pin
from core.actions.redemptions import confirm_redemption, load_redemption
from core.database import Tx
from core.rules.asking import Redeemed, Refused
from core.rules.redeeming import RedemptionId
from core.rules.types import MerchantId, ShopId, Why
from core.store.merchants import list_shops, load_merchant


def confirm_with_pin(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    redemption_id: RedemptionId,
    pin_mac: str,
    key: str,
    now: datetime,
) -> Redeemed | Refused | PinRefused:
    """Use the voucher of a waiting request up, as the member of staff with this PIN.

    Wrong PINs count, and close this request's phone for more. Where nothing waits, or
    the merchant wants no PINs on phones, none is looked at. Raises
    `NotFound("redemption")`, and `Invalid` for a "key" that asked for something else.
    """
    asked = load_redemption(tx, merchant_id, redemption_id, now)
    if not load_merchant(tx, merchant_id).phone_pin:
        return Refused(why=Why.not_allowed, card_id=asked.card_id)
    if asked.state != "waiting":
        is_done = asked.state == "done"
        why = Why.already_used if is_done else Why.expired_request
        return Refused(why=why, card_id=asked.card_id)
    place = f"phone:{redemption_id}"
    by = check_pin(tx, merchant_id=merchant_id, pin_mac=pin_mac, place=place, now=now)
    if isinstance(by, PinRefused):
        return by
    return confirm_redemption(
        tx,
        merchant_id=merchant_id,
        redemption_id=redemption_id,
        by=by,
        # With who it is: a refusal of one of them is not the answer to another.
        key=f"phone-pin:{key}:{redemption_id}:{by.id}",
        now=now,
        shop_id=asked.shop_id or _only_shop(tx, merchant_id),
    )


def _only_shop(tx: Tx, merchant_id: MerchantId) -> ShopId | None:
    # A phone stands nowhere: among several shops, it could be any.
    shops = list_shops(tx, merchant_id)
    return shops[0].id if len(shops) == 1 else None
