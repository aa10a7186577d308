"""An outcome as JSON and back: what an idempotency key keeps."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from core.rules.asking import Granted, Refused
from core.rules.types import (
    CardId,
    EntryId,
    VoucherId,
    Why,
)


def outcome_to_dict(outcome: Granted | Refused) -> dict[str, Any]:
    """The outcome as plain JSON values."""
    match outcome:
        case Granted():
            return {
                "outcome": "granted",
                "card": outcome.card_id,
                "entry": outcome.entry_id,
                "stamps": outcome.stamps,
                "completed": outcome.completed,
                "vouchers": list(outcome.vouchers),
                "next_card": outcome.next_card_id,
                "doubled": outcome.doubled,
            }
        case Refused():
            return refused_to_dict(outcome)


def outcome_from_dict(data: dict[str, Any]) -> Granted | Refused:
    """The outcome that `outcome_to_dict` made."""
    if data["outcome"] == "refused":
        return refused_from_dict(data)
    return Granted(
        card_id=CardId(data["card"]),
        entry_id=EntryId(data["entry"]),
        stamps=data["stamps"],
        completed=data["completed"],
        vouchers=tuple(VoucherId(v) for v in data["vouchers"]),
        next_card_id=data.get("next_card"),
        doubled=data.get("doubled", False),
    )


def refused_to_dict(outcome: Refused) -> dict[str, Any]:
    """The refusal as plain JSON values."""
    return {
        "outcome": "refused",
        "why": outcome.why.value,
        "retry_at": outcome.retry_at and outcome.retry_at.isoformat(),
        "card": outcome.card_id,
    }


def refused_from_dict(data: dict[str, Any]) -> Refused:
    """The refusal that `refused_to_dict` made."""
    return Refused(
        why=Why(data["why"]),
        retry_at=data["retry_at"] and datetime.fromisoformat(data["retry_at"]),
        card_id=data["card"],
    )
