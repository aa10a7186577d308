"""The rich menus of merchants' LINE channels: asked for, and what was put up.

A menu is delivered through the outbox: the topic "menu:<merchant id>" is the whole
channel, "menu:<customer id>" one friend who reads another language than the shop's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.actions.channels import LineChannel, line_channel
from core.database import Tx
from core.errors import NotFound
from core.rules.types import (
    Customer,
    CustomerId,
    Language,
    Look,
    MerchantId,
    StaffId,
)
from core.store.customers import find_customer
from core.store.journal import note
from core.store.line_menus import friends_who_read, menu_waits, menu_wishes
from core.store.merchants import (
    load_channel,
    load_merchant,
    lock_merchant,
    update_line,
)
from core.store.outbox import REDESIGN, announce
from core.store.programs import list_programs

__all__ = [
    "MenuState",
    "MenuWork",
    "channels_behind",
    "friends_who_read",
    "greet_with_menu",
    "keep_menus",
    "load_menu_work",
    "menu_state",
    "reader_of_menu",
    "want_menu",
    "want_menu_again",
]


# "none": nothing to put up yet; "failed": the last try was in vain, maybe not for ever.
MenuState = Literal["up", "coming", "failed", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuWork:
    """What a channel's menu is made of; `ids` and `digest` of what is up by now.

    `ids` has LINE's id of the menu in each language; empty while there is none.
    """

    channel: LineChannel
    look: Look
    ids: Mapping[Language, str]
    digest: str


def channels_behind(tx: Tx, revision: int) -> list[MerchantId]:
    """Whose menu was not asked for since the look, channel or `revision` changed."""
    wishes = menu_wishes(tx, revision)
    return [wish.merchant_id for wish in wishes if wish.wanted != wish.asked]


def want_menu(tx: Tx, merchant_id: MerchantId, revision: int, now: datetime) -> None:
    """Have the channel's menu brought up to date, if that was not asked for before."""
    lock_merchant(tx, merchant_id)
    for wish in menu_wishes(tx, revision, merchant_id):
        if wish.wanted != wish.asked:
            update_line(tx, merchant_id, menu_wanted=wish.wanted)
            _announce(tx, merchant_id, now)


def want_menu_again(
    tx: Tx, merchant_id: MerchantId, by: StaffId, now: datetime
) -> None:
    """Have the menu put up again, also where nothing has changed. `NotFound`."""
    lock_merchant(tx, merchant_id)
    row = load_channel(tx, merchant_id, "line")
    if row is None:
        raise NotFound("channel")
    if row.menu:
        update_line(tx, merchant_id, menu=row.menu | {"digest": ""})
    _announce(tx, merchant_id, now)
    note(tx, merchant_id, f"staff:{by}", "line.menu_wanted", row.channel_id, now)


def menu_state(tx: Tx, merchant_id: MerchantId, revision: int) -> MenuState:
    """Where the channel's menu stands."""
    work = load_menu_work(tx, merchant_id)
    if work is None:
        return "none"
    tries = menu_waits(tx, merchant_id, _topic(merchant_id))
    if tries is not None:
        return "failed" if tries else "coming"
    wishes = menu_wishes(tx, revision, merchant_id)
    is_asked = all(wish.wanted == wish.asked for wish in wishes)
    return "up" if work.digest and is_asked else "coming"


def load_menu_work(tx: Tx, merchant_id: MerchantId) -> MenuWork | None:
    """What the merchant's menu is made of; None without a channel or a program."""
    channel = line_channel(tx, merchant_id)
    programs = (p for p in list_programs(tx, merchant_id) if p.state == "active")
    first = next(programs, None)
    if channel is None or first is None:
        return None
    # Another channel knows nothing of the menus of the one before.
    kept = channel.menu if channel.menu.get("channel") == channel.channel_id else {}
    return MenuWork(
        channel=channel,
        look=first.design.look,
        ids=kept.get("ids", {}),
        digest=kept.get("digest", ""),
    )


def keep_menus(
    tx: Tx,
    merchant_id: MerchantId,
    channel_id: str,
    ids: Mapping[Language, str],
    digest: str,
    now: datetime,
) -> None:
    """Note what is up now on this channel; it counts only while it is the channel."""
    kept = {"channel": channel_id, "ids": dict(ids), "digest": digest}
    update_line(tx, merchant_id, menu=kept)
    note(tx, merchant_id, "system", "line.menu_put_up", channel_id, now)


def greet_with_menu(
    tx: Tx, merchant_id: MerchantId, customer: Customer, now: datetime
) -> None:
    """A friend who reads another language than the shop's first gets that menu."""
    row = load_channel(tx, merchant_id, "line")
    if row is None or not row.menu:
        return
    common, *_ = load_merchant(tx, merchant_id).languages
    if customer.language in row.menu["ids"] and customer.language != common:
        announce(tx, merchant_id, f"menu:{customer.id}", now, REDESIGN)


def reader_of_menu(
    tx: Tx, merchant_id: MerchantId, customer_id: str
) -> Customer | None:
    """The friend behind "menu:<customer id>"; None for who has left meanwhile."""
    found = find_customer(tx, merchant_id, id=CustomerId(customer_id))
    return found if found is not None and found.line_user_id else None


def _announce(tx: Tx, merchant_id: MerchantId, now: datetime) -> None:
    announce(tx, merchant_id, _topic(merchant_id), now, REDESIGN)


def _topic(merchant_id: MerchantId) -> str:
    return f"menu:{merchant_id}"
