"""What is asked of the actions, and what they answer. All are frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.rules.types import (
    CardId,
    ClaimId,
    CustomerId,
    EntryId,
    How,
    Language,
    MerchantId,
    ShopId,
    StaffId,
    VoucherId,
    Why,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePerson:
    """A person as a LINE webhook names them; profile fields may be unknown."""

    user_id: str
    name: str = ""
    language: Language | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StampAsk:
    """Somebody asks for stamps: by till code (`code` + `person` or `card_id`), or
    staff and machines directly for a card (`card_id` + `stamps`, or + the `amount`
    that was paid).

    `place` is where they are (latitude and longitude in degrees), if they said so.

    `key` is the idempotency key, unique per merchant: the same key gets its first
    answer for ever.
    """

    merchant_id: MerchantId
    key: str
    how: How
    code: str | None = None
    person: LinePerson | None = None
    card_id: CardId | None = None
    stamps: int = 1
    amount: int | None = None
    place: tuple[float, float] | None = None
    shop_id: ShopId | None = None
    staff_id: StaffId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Not done, why, and the earliest instant at which it would be (None: never)."""

    why: Why
    retry_at: datetime | None = None
    card_id: CardId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """Done: `entry_id` is the stamp's entry, `stamps` how many were added in all.

    With an amount, `stamps` may be 0: then what was paid counts towards the next one.
    `next_card_id` is the rank-up card that this began. `doubled`: within double
    hours.
    """

    card_id: CardId
    entry_id: EntryId
    stamps: int
    completed: bool = False
    vouchers: tuple[VoucherId, ...] = ()
    next_card_id: CardId | None = None
    doubled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """Taken back: `entry_id` counters the entry `undoes`, `stamps` are off the card.

    `vouchers` are the ones that are void for it, or usable again.
    """

    card_id: CardId
    entry_id: EntryId
    undoes: EntryId
    stamps: int
    vouchers: tuple[VoucherId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeemed:
    """A voucher was used; `entry_id` is the ledger's line of it."""

    card_id: CardId
    voucher_id: VoucherId
    entry_id: EntryId


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """Corrected by hand: `stamps` is signed; `vouchers` were issued, or made void."""

    card_id: CardId
    entry_id: EntryId
    stamps: int
    completed: bool = False
    vouchers: tuple[VoucherId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimMade:
    """A customer says that stamps are missing; the merchant will decide."""

    claim_id: ClaimId
    card_id: CardId


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRejected:
    """The merchant gave no stamps for the claim, and answered why."""

    claim_id: ClaimId
    card_id: CardId


@dataclass(frozen=True, slots=True, kw_only=True)
class Referred:
    """`customer_id` came by the code of `referrer_id`: both get stamps later."""

    customer_id: CustomerId
    referrer_id: CustomerId
