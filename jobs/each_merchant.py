"""An hourly job for every merchant, where one that fails holds up nobody else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from core.actions.merchants import list_merchants
from core.database import Database
from core.rules.types import MerchantId

log = structlog.get_logger()


async def each_merchant(
    db: Database,
    do: Callable[[MerchantId], Awaitable[None]],
    *,
    event: str,
    trouble: str,
) -> list[str]:
    """Do it for each in turn; what went wrong, by the merchant's key in `trouble`'s {}.

    `event` is how the log calls it.
    """
    red = []
    for merchant in await db.read(list_merchants):
        try:
            await do(merchant.id)
        except Exception:
            # The next hour tries again; the other merchants' customers need not wait.
            log.exception(event, merchant=merchant.id)
            red.append(trouble.format(merchant.key))
    return red
