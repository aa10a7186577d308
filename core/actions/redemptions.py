"""A customer asks to use a voucher; staff confirm it at the till within minutes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.actions.history import actor_of
from core.actions.once import once
from core.actions.redeem import load_voucher, use_up
from core.database import Tx
from core.errors import NotFound
from core.rules.asking import Redeemed, Refused
from core.rules.redeeming import (
    Asked,
    Redemption,
    RedemptionId,
    decide_cancel,
    decide_confirm,
    decide_redeem,
    waits_until,
)
from core.rules.types import (
    Card,
    Customer,
    CustomerId,
    MerchantId,
    ShopId,
    Staff,
    Voucher,
    VoucherId,
)
from core.store import redemptions
from core.store.cards import load_card, lock_card
from core.store.customers import find_customer
from core.store.journal import note


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A request as the till shows it: of whom, and for which voucher of which card."""

    redemption: Redemption
    voucher: Voucher
    card: Card
    customer: Customer


def ask_redemption(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    voucher_id: VoucherId,
    customer_id: CustomerId,
    key: str,
    now: datetime,
    shop_id: ShopId | None = None,
) -> Redemption | Refused:
    """Let a customer's own voucher wait for staff, or say why it cannot be used.

    Asking again while it waits gives the same request. Raises `NotFound("voucher")`
    also for somebody else's voucher, and `Invalid` for a "key" that asked for something
    else before.
    """

    def do() -> Asked | Refused:
        card, voucher = _lock(tx, merchant_id, voucher_id)
        if not _is_theirs(tx, card, customer_id):
            raise NotFound("voucher")
        refused = decide_redeem(card, voucher, None, now)
        return refused or _wait(tx, card, voucher, customer_id, shop_id, now)

    question: list[str | int] = ["ask-redemption", voucher_id]
    answer = once(tx, merchant_id, key, question, Asked, do, now)
    if isinstance(answer, Refused):
        return answer
    return load_redemption(tx, merchant_id, answer.redemption_id, now)


def load_redemption(
    tx: Tx, merchant_id: MerchantId, redemption_id: RedemptionId, now: datetime
) -> Redemption:
    """One request as it is at `now`. Raises `NotFound("redemption")`."""
    found = redemptions.load_redemption(tx, merchant_id, redemption_id)
    if found is None:
        raise NotFound("redemption")
    return found.as_of(now)


def redemption_of_voucher(
    tx: Tx, merchant_id: MerchantId, voucher_id: VoucherId, now: datetime
) -> Redemption | None:
    """The request for this voucher that waits at `now`, or None."""
    found = redemptions.waiting_of_voucher(tx, merchant_id, voucher_id)
    is_waiting = found is not None and found.as_of(now).state == "waiting"
    return found if is_waiting else None


def waiting_redemptions(
    tx: Tx, merchant_id: MerchantId, now: datetime
) -> list[Waiting]:
    """What customers are waiting for at the merchant's tills, oldest first."""
    found = []
    for asked in redemptions.waiting_redemptions(tx, merchant_id, now):
        voucher = load_voucher(tx, merchant_id, asked.voucher_id)
        card = load_card(tx, merchant_id, asked.card_id)
        if card is None or decide_redeem(card, voucher, None, now) is not None:
            # The voucher went with its stamps, or the card was stopped, meanwhile.
            continue
        customer = find_customer(tx, merchant_id, id=card.customer_id)
        assert customer is not None
        found.append(
            Waiting(redemption=asked, voucher=voucher, card=card, customer=customer)
        )
    return found


def confirm_redemption(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    redemption_id: RedemptionId,
    by: Staff | None,
    key: str,
    now: datetime,
    shop_id: ShopId | None = None,
) -> Redeemed | Refused:
    """Use the voucher of a waiting request up, or say why not.

    `by` None is a machine with an API key; the shop is the request's where none is
    given. Raises `NotFound("redemption")`, and `Invalid` for a "key" that asked for
    something else before.
    """

    def do() -> Redeemed | Refused:
        asked = load_redemption(tx, merchant_id, redemption_id, now)
        card, voucher = _lock(tx, merchant_id, asked.voucher_id)
        # Read again: another till may have confirmed it while we waited for the lock.
        asked = load_redemption(tx, merchant_id, redemption_id, now)
        refused = decide_confirm(card, voucher, asked, by, now)
        shop = shop_id or asked.shop_id
        return refused or use_up(tx, card, voucher, by, now, shop_id=shop)

    question: list[str | int] = ["confirm-redemption", redemption_id]
    return once(tx, merchant_id, key, question, Redeemed, do, now)


def cancel_redemption(
    tx: Tx,
    *,
    merchant_id: MerchantId,
    redemption_id: RedemptionId,
    now: datetime,
    by: Staff | None = None,
    customer_id: CustomerId | None = None,
) -> Redemption | Refused:
    """Stop a request from waiting; the voucher stays as good as it was.

    Staff (`by`) may, and the customer whose voucher it is; neither is a machine.
    Cancelling twice is the same as once. Raises `NotFound("redemption")` also for
    somebody else's.
    """
    asked = load_redemption(tx, merchant_id, redemption_id, now)
    card, _ = _lock(tx, merchant_id, asked.voucher_id)
    if customer_id is not None and not _is_theirs(tx, card, customer_id):
        raise NotFound("redemption")
    asked = load_redemption(tx, merchant_id, redemption_id, now)
    refused = decide_cancel(card, asked, by, now)
    if refused is not None:
        return refused
    if asked.state == "waiting":
        staff_id = by.id if by else None
        redemptions.settle_redemption(tx, asked, "cancelled", now, staff_id=staff_id)
        actor = f"customer:{customer_id}" if customer_id else actor_of(staff_id)
        _tell(tx, card, actor, "redemption.cancelled", asked.id, now)
    return load_redemption(tx, merchant_id, redemption_id, now)


def _lock(
    tx: Tx, merchant_id: MerchantId, voucher_id: VoucherId
) -> tuple[Card, Voucher]:
    card_id = load_voucher(tx, merchant_id, voucher_id).card_id
    card = lock_card(tx, merchant_id, card_id)
    assert card is not None
    return card, load_voucher(tx, merchant_id, voucher_id)


def _is_theirs(tx: Tx, card: Card, customer_id: CustomerId) -> bool:
    """Is it this customer's card, or that of whom they were linked to?"""
    customer = find_customer(tx, card.merchant_id, id=customer_id)
    return customer is not None and customer.id == card.customer_id


def _wait(
    tx: Tx,
    card: Card,
    voucher: Voucher,
    customer_id: CustomerId,
    shop_id: ShopId | None,
    now: datetime,
) -> Asked:
    known = redemptions.waiting_of_voucher(tx, card.merchant_id, voucher.id)
    if known is not None:
        if known.as_of(now).state == "waiting":
            return Asked(redemption_id=known.id)
        redemptions.settle_redemption(tx, known, "expired", now)
    redemption_id = redemptions.add_redemption(
        tx,
        card.merchant_id,
        voucher,
        shop_id=shop_id,
        expires_at=waits_until(voucher, now),
        now=now,
    )
    actor = f"customer:{customer_id}"
    _tell(tx, card, actor, "redemption.asked", redemption_id, now)
    return Asked(redemption_id=redemption_id)


def _tell(
    tx: Tx,
    card: Card,
    actor: str,
    action: str,
    redemption_id: RedemptionId,
    now: datetime,
) -> None:
    note(tx, card.merchant_id, actor, action, redemption_id, now, card=card.id)
    tx.signal(f"tills:{card.merchant_id}")
    tx.signal(f"card:{card.id}")
