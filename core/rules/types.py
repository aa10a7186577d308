"""The values that rules, store, actions and channels share. All are frozen.

Instants (`*_at`) are aware datetimes in UTC, days (`*_on`) are dates in the
merchant's zone, ids are opaque text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Literal, NewType

MerchantId = NewType("MerchantId", str)
ProgramId = NewType("ProgramId", str)
CardId = NewType("CardId", str)
CustomerId = NewType("CustomerId", str)
ShopId = NewType("ShopId", str)
StaffId = NewType("StaffId", str)
VoucherId = NewType("VoucherId", str)
EntryId = NewType("EntryId", str)
PassId = NewType("PassId", str)

Language = Literal["ja", "en"]
Role = Literal["owner", "manager", "clerk", "viewer"]
CardState = Literal["active", "stopped"]
ProgramState = Literal["active", "paused", "archived"]
VoucherState = Literal["issued", "redeemed", "void", "expired"]
IssuerName = Literal["apple", "google"]
EntryKind = Literal[
    "stamp", "bonus", "rollover", "undo", "expiry", "adjust", "merge", "redeem"
]
How = Literal["line", "till", "api", "scan", "join", "rule"]


class Why(StrEnum):
    """Why something was refused; also the key of its sentence (`why.<code>`)."""

    unknown_code = "unknown_code"
    expired_code = "expired_code"
    used_code = "used_code"
    wrong_merchant = "wrong_merchant"
    already_today = "already_today"
    too_soon = "too_soon"
    daily_cap = "daily_cap"
    too_far = "too_far"
    closed = "closed"
    card_stopped = "card_stopped"
    program_paused = "program_paused"
    too_many_tries = "too_many_tries"
    not_enough = "not_enough"
    already_used = "already_used"
    no_such_card = "no_such_card"
    expired_card = "expired_card"
    expired_voucher = "expired_voucher"
    void_voucher = "void_voucher"
    unused_voucher = "unused_voucher"
    not_allowed = "not_allowed"
    too_late = "too_late"


# --- what a merchant configures -------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """A tenant. `day_starts_at` is the hour (0-9) at which a business day begins."""

    id: MerchantId
    key: str
    name: str
    timezone: str
    day_starts_at: int
    contact: str
    languages: tuple[Language, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A place of a merchant; latitude and longitude in degrees, or None."""

    id: ShopId
    key: str
    name: str
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """A reward at a stamp count. `valid` counts from issue: "3m", "30d" or None."""

    at: int
    name: str
    valid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """取得制限: "none", once a business "day", every n "hours", n "per_day"."""

    kind: Literal["none", "day", "hours", "per_day"] = "none"
    n: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """有効期限: "none", n months "after_last" or "after_first" use, or "on" a date."""

    kind: Literal["none", "after_last", "after_first", "on"] = "none"
    months: int = 0
    on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Colours as #RRGGBB; `icon` a built-in glyph's name or "picture:<sha256>"."""

    background: str = "#5A3A22"
    foreground: str = "#FFFFFF"
    icon: str = "star"


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """All that one version of a program says. Immutable once published."""

    name: str
    goal: int
    rewards: tuple[Reward, ...]
    bonus: int = 0
    limit: Limit = Limit()
    expires: Expiry = Expiry()
    remind_days: tuple[int, ...] = ()
    next_program: str | None = None
    look: Look = Look()
    guide: str = ""
    thanks: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A card as configured; `design` is the published one, `draft` what is typed."""

    id: ProgramId
    merchant_id: MerchantId
    key: str
    state: ProgramState
    version: int
    design: Design
    draft: Design | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """A merchant's login."""

    id: StaffId
    merchant_id: MerchantId
    email: str
    name: str
    role: Role


# --- what customers hold --------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """One person as one merchant knows them; never joined across merchants."""

    id: CustomerId
    merchant_id: MerchantId
    member_no: str
    line_user_id: str | None
    name: str
    language: Language
    external_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One customer's card of one program.

    `balance` (0 to goal) equals the sum of the card's ledger entries, `total` counts
    every stamp ever kept, `cycle` how many times the card was full, `revision` grows
    with each change. `code` is what the card's barcode carries after /c/.
    """

    id: CardId
    merchant_id: MerchantId
    program_id: ProgramId
    customer_id: CustomerId
    version: int
    state: CardState
    balance: int
    cycle: int
    total: int
    revision: int
    code: str
    issued_at: datetime
    first_stamp_at: datetime | None
    last_stamp_at: datetime | None
    expires_at: datetime | None
    external_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the append-only ledger. `stamps` is signed, `balance` is after it."""

    id: EntryId
    card_id: CardId
    kind: EntryKind
    stamps: int
    balance: int
    how: How
    at: datetime
    version: int
    shop_id: ShopId | None = None
    staff_id: StaffId | None = None
    undoes: EntryId | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """One issued reward. `number` is the short number that staff and customer read.

    `entry_id` earned it at `reward_at` stamps; `redemption_id` is the entry of its use.
    """

    id: VoucherId
    card_id: CardId
    number: str
    name: str
    state: VoucherState
    issued_at: datetime
    expires_at: datetime | None
    entry_id: EntryId | None = None
    reward_at: int | None = None
    redeemed_at: datetime | None = None
    redemption_id: EntryId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TillCode:
    """A single-use code that a customer claims: 8 Crockford letters, 6 digits."""

    code: str
    digits: str
    merchant_id: MerchantId
    program_id: ProgramId
    shop_id: ShopId
    staff_id: StaffId | None
    stamps: int
    expires_at: datetime
    claimed_at: datetime | None = None
    claimed_by: CardId | None = None
    entry_id: EntryId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPass:
    """A card in one wallet.

    `id` is Apple's serial number and the suffix of Google's object id; `changed_at`
    (whole seconds since 1970, strictly growing) is its Last-Modified.
    """

    id: PassId
    merchant_id: MerchantId
    card_id: CardId
    issuer: IssuerName
    changed_at: int
    installed: bool = False
    push_tokens: tuple[str, ...] = ()


# --- what is asked and answered -------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LinePerson:
    """A person as a LINE webhook names them; profile fields may be unknown."""

    user_id: str
    name: str = ""
    language: Language | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StampAsk:
    """Somebody asks for stamps: by till code (`code` + `person` or `card_id`), or
    staff and machines directly for a card (`card_id` + `stamps`).

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
    """Done: `entry_id` is the stamp's entry, `stamps` how many were added."""

    card_id: CardId
    entry_id: EntryId
    stamps: int
    completed: bool = False
    vouchers: tuple[VoucherId, ...] = field(default=())


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
