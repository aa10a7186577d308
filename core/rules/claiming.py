"""「スタンプが付いていない」: what a customer says is missing, who decides. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.errors import Invalid
from core.rules.asking import Refused
from core.rules.types import (
    Card,
    CardId,
    ClaimId,
    CustomerId,
    EntryId,
    Program,
    ProgramState,
    Staff,
    StaffId,
    Why,
)

ClaimState = Literal["open", "approved", "rejected"]

MAX_TEXT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A try of the customer that was refused: when, why, and the code they sent."""

    at: datetime
    why: Why
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Stamps that are missing, in the customer's words (maybe none).

    `refusals` are their attempts of the week before it, newest first. `entry_id` is the
    grant of an approved claim, `answer` what a rejected one was told.
    """

    id: ClaimId
    customer_id: CustomerId
    card_id: CardId
    text: str
    refusals: tuple[Attempt, ...]
    state: ClaimState
    made_at: datetime
    decided_at: datetime | None = None
    staff_id: StaffId | None = None
    entry_id: EntryId | None = None
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimView:
    """A claim with what staff need to decide on it."""

    claim: Claim
    customer_name: str
    member_no: str
    program: Program


def is_open_card(card: Card, program: ProgramState) -> bool:
    """Is it a card on which stamps may be missing today?"""
    is_over = card.merged_into is not None or card.next_card_id is not None
    return card.state == "active" and program != "archived" and not is_over


def decide_claim(claim: Claim, by: Staff) -> Refused | None:
    """None where `by` may approve or reject `claim`: managers and owners, once."""
    if by.role not in {"owner", "manager"}:
        return Refused(why=Why.not_allowed, card_id=claim.card_id)
    if claim.state != "open":
        return Refused(why=Why.already_used, card_id=claim.card_id)
    return None


def check_text(text: str, field: str, *, needed: bool = False) -> str:
    """What somebody wrote, in one line. Raises `Invalid` for `field`."""
    # People write in several lines; a claim is shown in one.
    words = " ".join(text.split())
    if needed and not words:
        raise Invalid({field: ("invalid.empty", {})})
    if len(words) > MAX_TEXT:
        raise Invalid({field: ("invalid.long", {"max": MAX_TEXT})})
    if not words.isprintable():
        raise Invalid({field: ("invalid.control", {})})
    return words
