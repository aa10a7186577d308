"""The JSON of the API: what is asked and what is answered, each shape once.

The OpenAPI document is generated from these, so it cannot say anything else. Instants
are RFC 3339 with the merchant's offset.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic.config import JsonDict

from core.actions.till import MAX_STAMPS
from core.rules.face import FaceState
from core.rules.types import (
    EntryKind,
    How,
    Language,
    VoucherState,
    Why,
)

MAX_AMOUNT = 100_000_000


def _whole(value: object) -> object:
    is_whole = isinstance(value, float) and value.is_integer()
    return int(value) if is_whole else value  # type: ignore[call-overload]


Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,32}$")]
# PostgreSQL keeps no NUL, and nothing else below U+0020 belongs in a name.
Text = Annotated[
    str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
]
ExternalId = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Reason = Annotated[
    str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
]
# JSON knows one kind of number: 2.0 is as whole as 2.
_WHOLE = BeforeValidator(_whole)
Stamps = Annotated[int, Field(strict=True, ge=1, le=MAX_STAMPS), _WHOLE]
Amount = Annotated[int, Field(strict=True, ge=1, le=MAX_AMOUNT), _WHOLE]
Instant = Annotated[datetime, Field(examples=["2026-11-23T15:00:00.000+09:00"])]
Id = Annotated[str, Field(examples=["01KAR3ZJ5Q8J6V1W2X3Y4Z5A6B"])]


_SOME: JsonDict = {"type": "integer"}
_NONE: JsonDict = {"type": "null"}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


# --- what is asked --------------------------------------------------------------


class NewTillCode(_Body):
    """A code for a customer to scan at a shop's till."""

    shop: Key = Field(description="The shop's key.")
    program: Key = Field(description="The program's key.")
    stamps: Stamps = Field(description="How many stamps it is worth.")


class NewCard(_Body):
    """A card for somebody without LINE."""

    program: Key = Field(description="The program's key.")
    name: Text | None = Field(default=None, description="What to call the customer.")
    external_id: ExternalId | None = Field(
        default=None, description="Your own id for this card, to find it by."
    )


class NewStamps(_Body):
    """Stamps for a card: `n` of them, or as many as `amount` (in ¥) is worth."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": [one], "properties": {one: _SOME, other: _NONE}}
                for one, other in (("n", "amount"), ("amount", "n"))
            ]
        }
    )

    n: Stamps | None = Field(default=None, description="How many stamps.")
    amount: Amount | None = Field(
        default=None, description="What was paid, in the smallest unit of the currency."
    )
    shop: Key | None = Field(
        default=None, description="The shop's key; may be left out where there is one."
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.n is None) == (self.amount is None):
            msg = "give either n or amount"
            raise ValueError(msg)
        return self


class NewUndo(_Body):
    """Why a grant is taken back; the body may be left out."""

    reason: Reason = Field(default="", description="For the card's history.")


class NewRedemption(_Body):
    """Where a voucher is used or given back; the body may be left out."""

    shop: Key | None = Field(
        default=None, description="The shop's key; may be left out where there is one."
    )


class CardQuery(_Body):
    """By what to find cards: exactly one of these."""

    line_user_id: Text | None = None
    member_no: Text | None = None
    external_id: ExternalId | None = None

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if len(self.model_dump(exclude_none=True)) != 1:
            msg = "give exactly one of line_user_id, member_no and external_id"
            raise ValueError(msg)
        return self


class LedgerQuery(_Body):
    """Which page of a ledger."""

    next: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{1,40}$")] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 50


# --- what is answered -----------------------------------------------------------


class NextReward(_Answer):
    """The nearest reward ahead; `to_next` more stamps reach it."""

    at: int
    name: str
    to_next: int


class VoucherAnswer(_Answer):
    """One issued reward; `number` is what staff and customer read."""

    id: Id
    number: str
    name: str
    state: VoucherState
    issued_at: Instant
    expires_at: Instant | None


class CustomerAnswer(_Answer):
    """The holder, as this merchant knows them."""

    id: Id
    name: str
    language: Language
    line_user_id: str | None
    external_id: str | None


class CardAnswer(_Answer):
    """A card as it stands. `balance` is 0 to `goal`, `cycle` how often it was full."""

    id: Id
    program: str
    version: int
    state: FaceState
    balance: int
    goal: int
    cycle: int
    total: int
    remainder: int = Field(
        description="What was paid towards the next stamp, where stamps go by amount."
    )
    next_card: str | None = Field(
        description="The rank-up card that this one handed its stamps on to."
    )
    expires_at: Instant | None
    next_reward: NextReward | None
    vouchers: list[VoucherAnswer]
    member_no: str
    customer: CustomerAnswer
    add_to_wallet_url: str


class CardsAnswer(_Answer):
    """The cards that were found, maybe none."""

    cards: list[CardAnswer]


class EntryAnswer(_Answer):
    """One line of the append-only ledger: `stamps` is signed, `balance` after it."""

    id: Id
    card_id: Id
    kind: EntryKind
    stamps: int
    balance: int
    how: How
    at: Instant
    shop: str | None
    staff_id: str | None
    undoes: str | None
    reason: str
    amount: int | None = Field(description="What was paid, where it was said.")


class LedgerAnswer(_Answer):
    """A page of a ledger, newest first. `next` (if any) asks for the one after it."""

    entries: list[EntryAnswer]
    next: str | None


class TillCodeAnswer(_Answer):
    """A code for one customer: as a QR code (`qr_text`), a link, or six digits.

    `line_url` is "" for a merchant without LINE.
    """

    code: str
    digits: str
    line_url: str
    qr_text: str
    expires_at: Instant


class TillCodeStateAnswer(_Answer):
    """Where a code stands; `card` and `entry` once it is claimed."""

    state: Literal["waiting", "claimed", "expired"]
    card: CardAnswer | None
    entry: EntryAnswer | None


class StampsAnswer(_Answer):
    """Granted with its `entry`, or refused: `why`, and when asking again helps."""

    outcome: Literal["granted", "refused"]
    why: Why | None
    retry_at: Instant | None
    entry: EntryAnswer | None
    card: CardAnswer


class UndoAnswer(_Answer):
    """What was taken back: the `entry` that counters it, and the card after it."""

    entry: EntryAnswer
    card: CardAnswer


class FieldError(_Answer):
    """What is wrong where: `pointer` is a JSON pointer, or a query's name."""

    pointer: str
    detail: str


class ProblemAnswer(_Answer):
    """An error as RFC 9457 has it; `code` never changes, `title` is for people."""

    type: str
    title: str
    status: int
    code: str
    errors: list[FieldError] = []
