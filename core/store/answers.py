"""First answers by idempotency key: the same key gets its first answer for ever."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select

from core.database import Tx
from core.rules.types import MerchantId
from core.store.tables import answered
from core.store.upsert import put_if_new
from core.vault import hash_token

# Built once: to build a statement costs more than to run it.
_MINE = (answered.c.merchant_id == bindparam("of_merchant")) & (
    answered.c.key == bindparam("of_key")
)
_LOAD = select(answered.c.answer).where(_MINE)
_UPDATE = answered.update().where(_MINE)


def first_answer(
    tx: Tx, merchant_id: MerchantId, key: str, now: datetime
) -> Any | None:
    """The answer that `key` got before; None when the key is new, and now ours.

    A second asker at the same moment waits here for the first one's commit.
    """
    row = {"merchant_id": merchant_id, "key": key, "answer": None, "at": now}
    if put_if_new(tx, answered, row, "merchant_id", "key"):
        return None
    mine = {"of_merchant": merchant_id, "of_key": key}
    return tx.execute(_LOAD, mine).scalar_one()


def keep_answer(tx: Tx, merchant_id: MerchantId, key: str, answer: Any) -> None:
    """Fix what `key` is answered from now on."""
    mine = {"of_merchant": merchant_id, "of_key": key}
    tx.execute(_UPDATE, {**mine, "answer": answer})


def are_answered(tx: Tx, merchant_id: MerchantId, keys: Sequence[str]) -> set[str]:
    """Those of `keys` that were answered before."""
    mine = (answered.c.merchant_id == merchant_id) & answered.c.key.in_(keys)
    return {row.key for row in tx.execute(select(answered.c.key).where(mine))}


def mark_of(asked: Sequence[Any]) -> str:
    """What was asked, as a mark: the same for the same, and unreadable.

    For answers are kept for ever, also when a person and what they typed are erased.
    """
    return hash_token(json.dumps(list(asked), ensure_ascii=False))
