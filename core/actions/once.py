"""Doing something once for an idempotency key: the same key gets its first answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from core.actions.outcomes import refused_from_dict, refused_to_dict
from core.database import Tx
from core.errors import Invalid
from core.rules.asking import Refused
from core.rules.types import MerchantId
from core.store.answers import first_answer, keep_answer, mark_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# An outcome of texts, numbers and tuples of them.
D = TypeVar("D", bound="DataclassInstance")


def once(
    tx: Tx,
    merchant_id: MerchantId,
    key: str,
    asked: Sequence[str | int],
    kind: type[D],
    do: Callable[[], D | Refused],
    now: datetime,
) -> D | Refused:
    """What `do` answers, or what it answered when `key` came first.

    Raises `Invalid` for a key that came with something else than `asked`. A part of
    other actions, not one by itself.
    """
    first = first_answer(tx, merchant_id, key, now)
    if first is not None:
        # Before there were marks, what was asked was kept itself.
        if first.get("asked") not in (mark_of(asked), list(asked)):
            raise Invalid({"key": ("till.key_reused", {})})
        return _from_dict(kind, first)
    outcome = do()
    keep_answer(tx, merchant_id, key, {"asked": mark_of(asked), **_to_dict(outcome)})
    return outcome


def check_question(first: Mapping[str, Any], asked: object) -> None:
    """Raise `Invalid` for a "key" whose first answer was to something else."""
    if first.get("asked", asked) != asked:
        raise Invalid({"key": ("till.key_reused", {})})


def _to_dict(outcome: DataclassInstance) -> dict[str, Any]:
    if isinstance(outcome, Refused):
        return refused_to_dict(outcome)
    return {"outcome": "done", "done": asdict(outcome)}


def _from_dict(kind: type[D], data: dict[str, Any]) -> D | Refused:
    if data["outcome"] == "refused":
        return refused_from_dict(data)
    # JSON has lists where the values have tuples.
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in data["done"].items()
    }
    return kind(**values)
