"""What the pump does for wallets: passes, the looks of programs, who holds what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from core.actions.outbox import Delivery
from core.database import Database
from core.rules.types import PassId, ProgramId
from jobs.pump import Handler
from passes.apple.issuer import AppleIssuer
from passes.artwork import Artwork
from passes.google.issuer import GoogleIssuer
from passes.sync import publish_look, reconcile, refresh


def wallet_handlers(
    db: Database, artwork: Artwork, apple: AppleIssuer, google: GoogleIssuer
) -> Mapping[str, Handler]:
    """The handlers of "pass:<pass>", "class:<program>" and "saved:<program>"."""

    async def refresh_pass(delivery: Delivery, now: datetime) -> None:
        await refresh(
            db,
            {"apple": apple, "google": google},
            PassId(_name(delivery)),
            now,
            at_leisure=delivery.at_leisure,
        )

    async def publish(delivery: Delivery, now: datetime) -> None:
        program_id = ProgramId(_name(delivery))
        await publish_look(db, artwork, google, delivery.merchant_id, program_id, now)

    async def ask(delivery: Delivery, now: datetime) -> None:
        program_id = ProgramId(_name(delivery))
        await reconcile(db, google, delivery.merchant_id, program_id, now)

    return {"pass": refresh_pass, "class": publish, "saved": ask}


def _name(delivery: Delivery) -> str:
    return delivery.topic.partition(":")[2]
