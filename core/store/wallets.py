"""What connecting a wallet needs of the tables: requests, trials, passes that wait."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, literal, or_, select

from core.database import Tx
from core.rules.types import IssuerName, MerchantId
from core.store.outbox import AT_LEISURE, announce_all
from core.store.passes import GOOD, TOPIC
from core.store.tables import (
    answered,
    apple_credentials,
    apple_request,
    google_credentials,
    held_pass,
    outbox,
)
from core.store.upsert import put

_CREDENTIALS = {"apple": apple_credentials, "google": google_credentials}
# What of the outbox goes to wallets.
_TOPICS = ("pass:", "class:", "saved:")


def load_request(tx: Tx, merchant_id: MerchantId) -> Row[Any] | None:
    """The certificate that Apple is being asked for, or None."""
    mine = apple_request.c.merchant_id == merchant_id
    return tx.execute(select(apple_request).where(mine)).first()


def put_request(
    tx: Tx, merchant_id: MerchantId, sealed_key: str, now: datetime
) -> None:
    """Ask for a certificate for this key, instead of any before it."""
    row = {"merchant_id": merchant_id, "sealed_key": sealed_key, "made_at": now}
    put(tx, apple_request, row, "merchant_id")


def drop_request(tx: Tx, merchant_id: MerchantId) -> None:
    """Apple has answered, or nobody waits for its answer."""
    mine = apple_request.c.merchant_id == merchant_id
    tx.execute(apple_request.delete().where(mine))


def drop_credentials(tx: Tx, merchant_id: MerchantId, wallet: IssuerName) -> bool:
    """Forget the merchant's connection; False when there was none."""
    table = _CREDENTIALS[wallet]
    mine = table.c.merchant_id == merchant_id
    return tx.execute(table.delete().where(mine)).rowcount > 0


def put_trial(
    tx: Tx,
    merchant_id: MerchantId,
    wallet: IssuerName,
    found: dict[str, Any] | None,
    now: datetime,
) -> None:
    """Keep how the last test of the connection went; None: there was none yet."""
    row = {
        "merchant_id": merchant_id,
        "key": _trial_key(wallet),
        "answer": found,
        "at": now,
    }
    put(tx, answered, row, "merchant_id", "key")


def load_trial(
    tx: Tx, merchant_id: MerchantId, wallet: IssuerName
) -> tuple[dict[str, Any], datetime] | None:
    """How the last test went, and when; None without one."""
    mine = (answered.c.merchant_id == merchant_id) & (
        answered.c.key == _trial_key(wallet)
    )
    row = tx.execute(select(answered.c.answer, answered.c.at).where(mine)).first()
    return None if row is None or row.answer is None else (row.answer, row.at)


def count_installed(tx: Tx, merchant_id: MerchantId, wallet: IssuerName) -> int:
    """How many of the merchant's passes are in somebody's wallet."""
    count = select(func.count()).select_from(held_pass)
    return int(tx.execute(count.where(*_installed(merchant_id, wallet))).scalar_one())


def announce_installed(
    tx: Tx, merchant_id: MerchantId, wallet: IssuerName, now: datetime
) -> None:
    """Have all passes that are in somebody's wallet brought up to date, in time."""
    rows = select(held_pass.c.merchant_id, TOPIC, literal(AT_LEISURE).label("priority"))
    announce_all(tx, rows.where(*_installed(merchant_id, wallet)), now)


def wake_wallets(tx: Tx, merchant_id: MerchantId, now: datetime) -> None:
    """Try at once, and from the beginning, what failed on the way to wallets."""
    topics = [outbox.c.topic.startswith(prefix) for prefix in _TOPICS]
    stuck = or_(outbox.c.due_at > now, outbox.c.dead.is_(True))
    behind = outbox.c.wanted > outbox.c.done
    mine = outbox.c.merchant_id == merchant_id
    again = {"due_at": now, "attempts": 0, "dead": False, "error": ""}
    tx.execute(outbox.update().where(mine, behind, stuck, or_(*topics)).values(again))
    tx.signal("outbox")


def _installed(merchant_id: MerchantId, wallet: IssuerName) -> tuple[Any, ...]:
    return (
        held_pass.c.merchant_id == merchant_id,
        held_pass.c.issuer == wallet,
        held_pass.c.installed.is_(True),
        GOOD,
    )


def _trial_key(wallet: IssuerName) -> str:
    return f"wallet-trial:{wallet}"
