"""Brings one card in one wallet to the state that the card has now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from core.actions.passes import load_pass
from core.database import Database
from core.rules.types import IssuerName, PassId
from passes.issuer import PassIssuer


async def refresh(
    db: Database,
    issuers: Mapping[IssuerName, PassIssuer],
    pass_id: PassId,
    now: datetime,
) -> None:
    """Send the present face of a pass, or take a stopped card's pass out of use.

    A pass that is no more needs nothing. Raises `DeliveryError`.
    """
    view = await db.read(load_pass, pass_id, now)
    if view is None:
        return
    issuer = issuers[view.held.issuer]
    if view.face.state == "stopped":
        await issuer.void(view.held, view.face, now)
    else:
        await issuer.refresh(view.held, view.face, now)
