"""A merchant's outgoing webhooks: kept by staff, and each delivery's tries noted.

The secret leaves here sealed, for the place (merchant, `HOOK_SECRET`, webhook).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.actions.merchants import load_merchant
from core.database import Tx
from core.errors import Invalid, NotFound
from core.ids import new_id
from core.rules.hooks import (
    MAX_HOOKS,
    PING,
    Hook,
    HookDelivery,
    HookDeliveryId,
    HookError,
    HookId,
    check_events,
)
from core.rules.types import CardId, Merchant, MerchantId, StaffId
from core.store import hook_log
from core.store import hooks as store
from core.store.cards import load_card
from core.store.customers import find_customer
from core.store.hook_log import LoggedDelivery, drop_deliveries_before
from core.store.hooks import list_hooks
from core.store.journal import note
from core.store.merchants import lock_merchant

HOOK_SECRET = "hook"  # noqa: S105 -- the name of a place, no secret
LOG_LENGTH = 50

__all__ = [
    "HOOK_SECRET",
    "LoggedDelivery",
    "Sending",
    "add_hook",
    "change_events",
    "drop_deliveries_before",
    "keep_body",
    "list_deliveries",
    "list_hooks",
    "load_hook",
    "load_sending",
    "note_failed",
    "note_try",
    "ping_hook",
    "remove_hook",
    "resend",
    "resume_hook",
    "roll_secret",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A delivery with all that sending it needs. `hook` is None once it was removed."""

    merchant: Merchant
    delivery: HookDelivery
    hook: Hook | None


def add_hook(tx: Tx, hook: Hook, by: StaffId) -> None:
    """Keep a new webhook whose address was checked.

    Raises `Invalid` for "events", and for "url" where it is known or one too many.
    """
    lock_merchant(tx, hook.merchant_id)
    check_events(list(hook.events))
    known = list_hooks(tx, hook.merchant_id)
    if len(known) >= MAX_HOOKS:
        raise Invalid({"url": ("machines.invalid.full", {"max": MAX_HOOKS})})
    if any(other.url == hook.url for other in known):
        raise Invalid({"url": ("machines.invalid.known", {})})
    store.add_hook(tx, hook)
    _note(tx, hook, by, "hook.added", hook.created_at)


def load_hook(tx: Tx, merchant_id: MerchantId, hook_id: HookId) -> Hook:
    """One webhook. Raises `NotFound("webhook")`."""
    found = store.load_hook(tx, merchant_id, hook_id)
    if found is None:
        raise NotFound("webhook")
    return found


def change_events(
    tx: Tx,
    merchant_id: MerchantId,
    hook_id: HookId,
    events: list[str],
    by: StaffId,
    now: datetime,
) -> None:
    """Choose anew what a webhook is told. Raises `NotFound`, `Invalid` for "events"."""
    hook = _lock(tx, merchant_id, hook_id)
    chosen = check_events(events)
    store.update_hook(tx, merchant_id, hook_id, events=list(chosen))
    _note(tx, hook, by, "hook.changed", now, events=list(chosen))


def roll_secret(
    tx: Tx,
    merchant_id: MerchantId,
    hook_id: HookId,
    sealed_secret: str,
    by: StaffId,
    now: datetime,
) -> None:
    """Sign with another secret from the next try on. Raises `NotFound`."""
    hook = _lock(tx, merchant_id, hook_id)
    store.update_hook(tx, merchant_id, hook_id, sealed_secret=sealed_secret)
    _note(tx, hook, by, "hook.secret_rolled", now)


def resume_hook(
    tx: Tx, merchant_id: MerchantId, hook_id: HookId, by: StaffId, now: datetime
) -> None:
    """Tell a webhook again that had said it was gone. Raises `NotFound`."""
    hook = _lock(tx, merchant_id, hook_id)
    store.update_hook(tx, merchant_id, hook_id, stopped_at=None)
    _note(tx, hook, by, "hook.resumed", now)


def remove_hook(
    tx: Tx, merchant_id: MerchantId, hook_id: HookId, by: StaffId, now: datetime
) -> None:
    """Forget a webhook, and send nothing of what waits. Raises `NotFound`."""
    hook = _lock(tx, merchant_id, hook_id)
    hook_log.end_waiting(tx, merchant_id, hook_id)
    store.drop_hook(tx, merchant_id, hook_id)
    _note(tx, hook, by, "hook.removed", now)


def ping_hook(
    tx: Tx, merchant_id: MerchantId, hook_id: HookId, by: StaffId, now: datetime
) -> HookDeliveryId:
    """Have a real delivery of type "ping" sent. Raises `NotFound`."""
    hook = load_hook(tx, merchant_id, hook_id)
    _note(tx, hook, by, "hook.tested", now)
    return store.put_delivery(tx, hook, PING, new_id(now), {}, now)


def resend(
    tx: Tx,
    merchant_id: MerchantId,
    delivery_id: HookDeliveryId,
    by: StaffId,
    now: datetime,
) -> None:
    """Have a delivery sent at once, with the bytes it had. Raises `NotFound`."""
    delivery = store.load_delivery(tx, merchant_id, delivery_id)
    if delivery is None:
        raise NotFound("delivery")
    hook = load_hook(tx, merchant_id, delivery.hook_id)
    hook_log.try_again(tx, delivery, now)
    _note(tx, hook, by, "hook.resent", now, delivery=delivery_id)


def list_deliveries(tx: Tx, merchant_id: MerchantId) -> list[LoggedDelivery]:
    """The merchant's last `LOG_LENGTH` deliveries, newest first."""
    return hook_log.recent_deliveries(tx, merchant_id, LOG_LENGTH)


def load_sending(
    tx: Tx, merchant_id: MerchantId, delivery_id: HookDeliveryId
) -> Sending | None:
    """What sending a delivery needs; None for one that the log has dropped."""
    delivery = store.load_delivery(tx, merchant_id, delivery_id)
    if delivery is None:
        return None
    return Sending(
        merchant=load_merchant(tx, merchant_id),
        delivery=delivery,
        hook=store.load_hook(tx, merchant_id, delivery.hook_id),
    )


def keep_body(
    tx: Tx, merchant_id: MerchantId, delivery_id: HookDeliveryId, body: str
) -> str:
    """Fix what a delivery says, so that each try says the same; what it says now."""
    known = store.load_delivery(tx, merchant_id, delivery_id)
    if known is not None and known.body:
        return known.body
    store.update_delivery(tx, merchant_id, delivery_id, body=body)
    if known is not None and _is_about_nobody(tx, known):
        # Erased since the body was written. It is not kept, and made anew if need be.
        store.update_delivery(tx, merchant_id, delivery_id, body="")
    return body


def note_try(
    tx: Tx,
    delivery: HookDelivery,
    now: datetime,
    *,
    status: int | None = None,
    error: HookError = "",
    is_last: bool = False,
) -> None:
    """How one try went: no `error` is delivered; `is_last` is given up.

    A webhook that says it is gone for good is told nothing more.
    """
    if error == "gone":
        # The lock comes before any row, as it does where staff remove a webhook.
        lock_merchant(tx, delivery.merchant_id)
    state = "delivered" if not error else "failed" if is_last else "waiting"
    store.count_try(
        tx,
        delivery.merchant_id,
        delivery.id,
        state=state,
        status=status,
        error=error,
        tried_at=now,
    )
    if error == "gone":
        _stop(tx, delivery, now)


def note_failed(tx: Tx, delivery: HookDelivery, error: HookError) -> None:
    """It is not even tried, for `error`."""
    store.update_delivery(
        tx, delivery.merchant_id, delivery.id, state="failed", error=error
    )


def _is_about_nobody(tx: Tx, delivery: HookDelivery) -> bool:
    card_id = CardId(delivery.data.get("card", ""))
    card = load_card(tx, delivery.merchant_id, card_id, own=True)
    if card is None:
        return False
    holder = find_customer(tx, card.merchant_id, own=True, id=card.customer_id)
    return holder is not None and holder.erased_at is not None


def _stop(tx: Tx, delivery: HookDelivery, now: datetime) -> None:
    hook = store.load_hook(tx, delivery.merchant_id, delivery.hook_id)
    if hook is None:
        return
    hook_log.end_waiting(tx, hook.merchant_id, hook.id)
    store.update_hook(tx, hook.merchant_id, hook.id, stopped_at=now)
    note(tx, hook.merchant_id, "system", "hook.stopped", hook.id, now, url=hook.url)


def _lock(tx: Tx, merchant_id: MerchantId, hook_id: HookId) -> Hook:
    lock_merchant(tx, merchant_id)
    return load_hook(tx, merchant_id, hook_id)


def _note(
    tx: Tx, hook: Hook, by: StaffId, action: str, now: datetime, **detail: object
) -> None:
    detail["url"] = hook.url
    note(tx, hook.merchant_id, f"staff:{by}", action, hook.id, now, **detail)
