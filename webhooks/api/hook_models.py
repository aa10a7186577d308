"""The JSON of a webhook: an event with the API's own answers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from core.rules.types import IssuerName
from webhooks.api.models import CardAnswer, EntryAnswer, Id, Instant, VoucherAnswer


class PassAnswer(BaseModel):
    """A card in one wallet."""

    model_config = ConfigDict(extra="forbid")

    id: Id
    issuer: IssuerName


class HookData(BaseModel):
    """What an event is about; what has nothing to do with it is left out.

    They stand as they were at the first try of the delivery.
    """

    model_config = ConfigDict(extra="forbid", serialize_by_alias=True)

    card: CardAnswer | None = None
    entry: EntryAnswer | None = None
    voucher: VoucherAnswer | None = None
    held_pass: PassAnswer | None = Field(default=None, alias="pass")


class HookAnswer(BaseModel):
    """What a webhook is sent. `id` is the event's: the same in every delivery of it."""

    model_config = ConfigDict(extra="forbid")

    id: Id
    type: str
    created_at: Instant
    merchant: str = Field(description="The merchant's key.")
    data: HookData
