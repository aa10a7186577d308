"""A merchant connects a LINE channel, and ticks off what only they can see to.

The secret is kept sealed for the place `LINE_SECRET` and never leaves here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import Row

from core.actions.channels import LINE_SECRET
from core.actions.pictures import keep_picture
from core.database import Tx
from core.errors import Invalid, NotFound, Unsealable
from core.rules.types import MerchantId, StaffId
from core.store.journal import note
from core.store.merchants import (
    load_channel,
    lock_merchant,
    merchants_on_line,
    put_channel,
    update_line,
)
from core.vault import Vault, same

# What LINE has no API for, and a new account has the wrong way round.
Tick = Literal["redelivery", "greeting", "auto_reply"]
TICKS: tuple[Tick, ...] = get_args(Tick)

# A reissued secret kills the old one at LINE at once; what is still on its way was
# signed with the old one. Whoever reissues since the old one leaked ends it by hand.
# https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/
PREVIOUS_LIVES = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLine:
    """A channel that LINE has accepted: its id and secret, and who it says it is.

    `picture` is its account's, a small PNG.
    """

    channel_id: str
    secret: str = field(repr=False)
    bot_user_id: str
    basic_id: str
    name: str
    picture: bytes | None = None


def connect_line(
    tx: Tx,
    merchant_id: MerchantId,
    given: NewLine,
    vault: Vault,
    by: StaffId,
    now: datetime,
) -> None:
    """Keep the channel, or a new secret of the one that is there.

    What was signed with the secret before is still taken for a day then: LINE's
    webhooks that are on the way. Raises `Invalid` for the "channel_id" of somebody
    else's channel.
    """
    lock_merchant(tx, merchant_id)
    if any(m != merchant_id for m in merchants_on_line(tx, given.channel_id)):
        raise Invalid({"channel_id": ("line_setup.invalid.taken", {})})
    row = load_channel(tx, merchant_id, "line")
    values: dict[str, Any] = {
        "channel_id": given.channel_id,
        "bot_user_id": given.bot_user_id,
        "basic_id": given.basic_id,
        "name": given.name,
    }
    act = "line.connected"
    if row is None or row.channel_id != given.channel_id:
        # Another account: nothing that was seen or ticked holds for it.
        values |= {"sealed_previous_secret": None, "previous_until": None}
        values |= {"setup": None, "menu": None}
    elif (known := _opened(row, vault)) is None or not same(known, given.secret):
        values |= previous_secret(row.sealed_secret if known else None, now)
        act = "line.secret_changed"
    else:
        act = "line.checked"
    values["sealed_secret"] = vault.seal(given.secret, merchant_id, LINE_SECRET)
    put_channel(tx, merchant_id, "line", values, now)
    if given.picture is not None:
        digest = keep_picture(tx, merchant_id, given.picture, now)
        setup = _locked(tx, merchant_id).setup or {}
        update_line(tx, merchant_id, setup=setup | {"picture": digest})
    note(tx, merchant_id, f"staff:{by}", act, given.channel_id, now)


def previous_secret(sealed: str | None, now: datetime) -> dict[str, Any]:
    """The columns for a secret that has just been replaced (None: none was)."""
    until = None if sealed is None else now + PREVIOUS_LIVES
    return {"sealed_previous_secret": sealed, "previous_until": until}


def end_previous_secret(
    tx: Tx, merchant_id: MerchantId, by: StaffId, now: datetime
) -> None:
    """Take nothing any more that was signed with the secret before. `NotFound`."""
    row = _locked(tx, merchant_id)
    if row.sealed_previous_secret is None:
        return
    update_line(tx, merchant_id, **previous_secret(None, now))
    note(tx, merchant_id, f"staff:{by}", "line.previous_ended", row.channel_id, now)


def hold_replies(
    tx: Tx, merchant_id: MerchantId, *, does_hold: bool, by: StaffId, now: datetime
) -> None:
    """May an answer wait a moment for staff at the till? Raises `NotFound`."""
    row = _locked(tx, merchant_id)
    if row.holds_replies == does_hold:
        return
    update_line(tx, merchant_id, holds_replies=does_hold)
    act = "line.holds" if does_hold else "line.holds_not"
    note(tx, merchant_id, f"staff:{by}", act, row.channel_id, now)


def keep_webhook_test(
    tx: Tx, merchant_id: MerchantId, reason: str, status: int, now: datetime
) -> None:
    """Note how LINE's last call of our webhook went."""
    row = _locked(tx, merchant_id)
    test = {"reason": reason, "status": status, "at": now.isoformat()}
    update_line(tx, merchant_id, setup=(row.setup or {}) | {"test": test})


def tick_line(
    tx: Tx,
    merchant_id: MerchantId,
    what: Tick,
    *,
    is_done: bool,
    by: StaffId,
    now: datetime,
) -> None:
    """Note that a setting at LINE was made, or was not. Raises `NotFound`."""
    row = _locked(tx, merchant_id)
    setup = row.setup or {}
    ticked = [tick for tick in setup.get("ticks", []) if tick != what]
    if is_done:
        ticked.append(what)
    update_line(tx, merchant_id, setup=setup | {"ticks": ticked})
    act = "line.ticked" if is_done else "line.unticked"
    note(tx, merchant_id, f"staff:{by}", act, row.channel_id, now, what=what)


def _locked(tx: Tx, merchant_id: MerchantId) -> Row[Any]:
    lock_merchant(tx, merchant_id)
    row = load_channel(tx, merchant_id, "line")
    if row is None:
        raise NotFound("channel")
    return row


def _opened(row: Row[Any], vault: Vault) -> str | None:
    try:
        return vault.open(row.sealed_secret, row.merchant_id, LINE_SECRET)
    except Unsealable:
        # Sealed with a master key that is lost: the merchant brings the secret anew.
        return None
