"""What happened to a card lately, as staff see it, and what they may take back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from core.actions.cards import CardView, ledger
from core.actions.history import MAX_REASON
from core.actions.redeem import voucher_of_use
from core.database import Tx
from core.rules.redeeming import decide_undo_redeem
from core.rules.types import Entry, EntryId, EntryKind, How, VoucherId
from core.rules.undoing import is_fresh_own, may_undo
from core.wording import say, say_time
from webhooks.till.desk import Desk

LINES = 10
LONGEST_REASON = MAX_REASON

# What is not plainly a stamp is named after where it came from.
_ORIGINS: Mapping[How, str] = {
    "claim": "claim",
    "paper": "paper",
    "referral": "referral",
    "birthday": "birthday",
    "link": "link",
    "printed": "printed",
    "receipt": "receipt",
}
_TURNED: frozenset[EntryKind] = frozenset({"undo", "expiry", "redeem"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One ledger entry in words; `undo` is how whoever looks may take it back.

    A reward that was just handed over is taken back as the `voucher_id`.
    """

    entry_id: EntryId
    at: str
    words: str
    stamps: int
    balance: int
    reason: str
    is_undone: bool
    undo: Literal["no", "tap", "reason"]
    voucher_id: VoucherId | None = None


def read_history(tx: Tx, desk: Desk, view: CardView, now: datetime) -> list[Line]:
    """The card's last ten entries, newest first."""
    entries = ledger(tx, view.card.merchant_id, view.card.id, limit=LINES)
    # What takes an entry back is newer than it, so it is among them too.
    undone = {entry.undoes for entry in entries}
    lines = [_line(desk, entry, entry.id in undone, now) for entry in entries]
    used = [
        _returnable(tx, desk, view, entry, now) if entry.kind == "redeem" else None
        for entry in entries
    ]
    return [
        replace(line, voucher_id=voucher_id)
        for line, voucher_id in zip(lines, used, strict=True)
    ]


def _returnable(
    tx: Tx, desk: Desk, view: CardView, entry: Entry, now: datetime
) -> VoucherId | None:
    voucher = voucher_of_use(tx, view.card, entry.id)
    if voucher is None:
        return None
    refused = decide_undo_redeem(view.card, voucher, desk.session.staff, now)
    return voucher.id if refused is None else None


def _line(desk: Desk, entry: Entry, is_undone: bool, now: datetime) -> Line:
    language = desk.session.language
    name = entry.kind if entry.kind in _TURNED else _ORIGINS.get(entry.how, entry.kind)
    return Line(
        entry_id=entry.id,
        at=say_time(entry.at, desk.session.merchant.timezone, language),
        words=say(f"entry.{name}", language),
        stamps=entry.stamps,
        balance=entry.balance,
        reason=entry.reason,
        is_undone=is_undone,
        undo="no" if is_undone else _undo(desk, entry, now),
    )


def _undo(desk: Desk, entry: Entry, now: datetime) -> Literal["no", "tap", "reason"]:
    staff = desk.session.staff
    if entry.kind != "stamp" or not may_undo(entry, staff, now):
        return "no"
    return "tap" if is_fresh_own(entry, staff, now) else "reason"
