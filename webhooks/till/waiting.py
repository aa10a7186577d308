"""Who waits for the staff, as every till page shows it on top."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from aiohttp import web

from core.actions.waiting import AtTills, waiting_at_tills
from core.vault import new_token
from webhooks.keys import CLOCK, DB
from webhooks.till.desk import Desk


async def read_waiting(request: web.Request, desk: Desk) -> dict[str, Any]:
    """What the template of those who wait needs."""
    parts = request.config_dict
    now = parts[CLOCK].now()
    found = await parts[DB].read(waiting_at_tills, desk.session.merchant.id, now)
    return waiting_context(found, now)


def waiting_context(found: AtTills, now: datetime) -> dict[str, Any]:
    """The same of what is known already."""
    return {
        "waiting": [
            (each, seconds_until(each.redemption.expires_at, now))
            for each in found.redemptions
        ],
        "n_claims": found.n_claims,
        "asked_key": new_token(12),
    }


def seconds_until(at: datetime, now: datetime) -> int:
    """Whole seconds that are left until `at`, begun ones counted; never below 0."""
    return max(0, math.ceil((at - now).total_seconds()))
