"""Brings what wallets show to the state that cards and their designs have now."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

import structlog

from core.actions.passes import load_blank, load_pass, settle_saved
from core.database import Database
from core.errors import NotConnected
from core.rules.types import IssuerName, MerchantId, PassId, ProgramId
from passes.artwork import Art, Artwork
from passes.google.issuer import GoogleIssuer
from passes.issuer import PassIssuer

log = structlog.get_logger()


async def refresh(
    db: Database,
    issuers: Mapping[IssuerName, PassIssuer],
    pass_id: PassId,
    now: datetime,
    *,
    at_leisure: bool = False,
) -> None:
    """Send the present face of a pass, or take a stopped card's pass out of use.

    A pass that is no more needs nothing, nor one whose wallet was disconnected: all
    are brought up to date when it is connected again. `at_leisure` is for one of very
    many, which stand back for stamps. Raises `DeliveryError`.
    """
    view = await db.read(load_pass, pass_id, now)
    if view is None:
        return
    issuer = issuers[view.held.issuer]
    send = issuer.void if view.face.state == "stopped" else issuer.refresh
    with suppress(NotConnected):
        await send(view.held, view.face, now, at_leisure=at_leisure)


async def publish_look(
    db: Database,
    artwork: Artwork,
    google: GoogleIssuer,
    merchant_id: MerchantId,
    program_id: ProgramId,
    now: datetime,
) -> None:
    """Draw a program's newest look for every count, and tell Google of it.

    Pictures first: Google fetches them at the write. Raises `DeliveryError`.
    """
    face = await db.read(load_blank, merchant_id, program_id, now)
    if face is None:
        return
    await artwork.prepare(Art.of_face(face))
    await google.publish_class(merchant_id, program_id)


async def reconcile(
    db: Database,
    google: GoogleIssuer,
    merchant_id: MerchantId,
    program_id: ProgramId,
    now: datetime,
) -> None:
    """Ask Google who has a program's passes, and write down what nobody told us.

    Raises `DeliveryError`; what was learnt until then is kept.
    """
    count = 0
    async for found in google.list_saved(merchant_id, program_id):
        count += await db.write(settle_saved, merchant_id, found, now)
    if count:
        log.info("google_passes_reconciled", program=program_id, changed=count)
