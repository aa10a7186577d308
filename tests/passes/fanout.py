"""Customers who hold a program's passes, and a new look for them."""

from __future__ import annotations

from core.actions.grant import grant_stamps
from core.actions.join import open_card
from core.actions.passes import hold_pass, mark_installed
from core.actions.publish import publish, save_draft
from core.database import Database
from core.rules.asking import StampAsk
from core.rules.types import Look, PassId
from core.vault import Vault
from tests.builders import BuiltShop, build_shop, coffee
from tests.conftest import ManualClock


async def holders(
    db: Database, vault: Vault, clock: ManualClock
) -> tuple[BuiltShop, dict[str, PassId]]:
    """Somebody without the pass, somebody who came long ago, and a regular."""
    shop = await build_shop(db, vault, clock.now())
    merchant_id, found = shop.merchant.id, {}
    for who, days in (("gone", 0), ("rare", 200), ("regular", 0)):
        card_id = await db.write(
            open_card,
            merchant_id=merchant_id,
            program_key="coffee",
            key=who,
            now=clock.now(),
        )
        ask = StampAsk(
            merchant_id=merchant_id, key=f"stamp-{who}", how="till", card_id=card_id
        )
        await db.write(grant_stamps, ask, clock.now())
        held = await db.write(hold_pass, merchant_id, card_id, "google", clock.now())
        found[who] = held.id
        if who != "gone":
            now = clock.now()
            await db.write(mark_installed, held.id, installed=True, now=now)
        clock.move(days=days)
    return shop, found


async def a_redesign(db: Database, shop: BuiltShop, clock: ManualClock) -> None:
    """Publish a blue card, for all that are out there."""
    ids, now = (shop.merchant.id, shop.program.id), clock.now()
    blue = coffee(look=Look(background="#113355"))
    await db.write(save_draft, *ids, blue, shop.owner.id, now)
    await db.write(publish, *ids, shop.owner.id, now)
