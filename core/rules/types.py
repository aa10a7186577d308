"""The values that rules, store, actions and channels share. All are frozen.

Instants (`*_at`) are aware datetimes in UTC, days (`*_on`) are dates in the
merchant's zone, ids are opaque text.
"""

from __future__ import annotations

from dataclasses import dataclass
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
ClaimId = NewType("ClaimId", str)

Language = Literal["ja", "en"]
Role = Literal["owner", "manager", "clerk", "viewer"]
CardState = Literal["active", "stopped"]
ProgramState = Literal["active", "paused", "archived"]
VoucherState = Literal["issued", "redeemed", "void", "expired"]
IssuerName = Literal["apple", "google"]
EntryKind = Literal[
    "stamp", "bonus", "rollover", "undo", "expiry", "adjust", "merge", "redeem"
]
How = Literal[
    "line",
    "till",
    "api",
    "scan",
    "join",
    "rule",
    "claim",
    "paper",
    "referral",
    "birthday",
    "link",
    "printed",
    "receipt",
]
CodeKind = Literal["single", "window", "printed", "receipt"]


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
    below_minimum = "below_minimum"
    already_linked = "already_linked"
    already_migrated = "already_migrated"
    already_claimed = "already_claimed"
    same_person = "same_person"
    not_new = "not_new"
    expired_request = "expired_request"


# --- what a merchant configures -------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """A tenant. `day_starts_at` is the hour (0-9) at which a business day begins.

    `phone_pin`: may staff confirm a reward by their PIN on the customer's phone?
    """

    id: MerchantId
    key: str
    name: str
    timezone: str
    day_starts_at: int
    contact: str
    languages: tuple[Language, ...]
    has_hooks: bool = False
    phone_pin: bool = False


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
class Spend:
    """One stamp for each `per` spent (in the currency's smallest unit), the remainder
    kept; nothing for a purchase below `minimum`.
    """

    per: int
    minimum: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubleHours:
    """On these weekdays (0 is Monday), from `start` to `end` (minutes of the day).

    An `end` at or before `start` is on the day after.
    """

    days: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gift:
    """A reward that no stamps earn, as for a birthday; `valid` as of a `Reward`."""

    name: str
    valid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Colours as #RRGGBB; `icon` a built-in glyph's name or "picture:<sha256>"."""

    background: str = "#5A3A22"
    foreground: str = "#FFFFFF"
    icon: str = "star"


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """All that one version of a program says. Immutable once published.

    `day_cap` is the most stamps a business day (0: no cap), `referral` how many stamps
    a friend and who brought them get each. `changing_code`: codes on the customer's
    screen change where they can, so that a picture of one is worth nothing.
    """

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
    spend: Spend | None = None
    double_hours: tuple[DoubleHours, ...] = ()
    day_cap: int = 0
    referral: int = 0
    birthday: Gift | None = None
    changing_code: bool = False


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
    """A member of a merchant's staff; `email` is "" for who has a PIN only."""

    id: StaffId
    merchant_id: MerchantId
    email: str
    name: str
    role: Role


# --- what customers hold --------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """One person as one merchant knows them; never joined across merchants.

    `birthday` is "MM-DD", told at `birthday_told_at`. Who was linked to another
    customer is `merged_into` that one. `muted` names the kinds of news not wanted.
    """

    id: CustomerId
    merchant_id: MerchantId
    member_no: str
    line_user_id: str | None
    name: str
    language: Language
    external_id: str | None = None
    birthday: str | None = None
    birthday_told_at: datetime | None = None
    referral_code: str | None = None
    referred_by: CustomerId | None = None
    referral_paid_at: datetime | None = None
    paper_at: datetime | None = None
    muted: tuple[str, ...] = ()
    merged_into: CustomerId | None = None
    erased_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One customer's card of one program.

    `balance` (0 to goal) equals the sum of the card's ledger entries, `total` counts
    every stamp ever kept, `cycle` how many times the card was full, `revision` grows
    with each change. `code` is what the card's barcode carries after /c/.

    `remainder` is what was spent towards the next stamp. The card is promised each
    expiry of the versions since `promise_from`, and `extended_to` at least. A card that
    ranked up hands its stamps on to `next_card_id`, a linked one is `merged_into` the
    card that now stands for both.
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
    remainder: int = 0
    promise_from: int = 1
    extended_to: datetime | None = None
    next_card_id: CardId | None = None
    merged_into: CardId | None = None
    stop_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the append-only ledger. `stamps` is signed, `balance` is after it.

    `amount` is what was paid, `remainder` how the card's remainder changed; `cause` is
    the grant on another card of which this one is a part.
    """

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
    cause: EntryId | None = None
    amount: int | None = None
    remainder: int = 0


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
    """A code that a customer claims: 8 Crockford letters, 6 digits or none.

    A "single" one and a "receipt" are good once; a "window" once for each customer
    while it lasts; a "printed" one once a business day for each, within `radius_m`
    metres of its shop where that is set, until it is revoked.
    """

    code: str
    digits: str
    merchant_id: MerchantId
    program_id: ProgramId
    shop_id: ShopId
    staff_id: StaffId | None
    stamps: int
    expires_at: datetime | None
    claimed_at: datetime | None = None
    claimed_by: CardId | None = None
    entry_id: EntryId | None = None
    kind: CodeKind = "single"
    radius_m: int | None = None
    batch_id: str | None = None

    def is_over(self, now: datetime) -> bool:
        """Has its time run out?"""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPass:
    """A card in one wallet.

    `id` is Apple's serial number and the suffix of Google's object id; `changed_at`
    (whole seconds since 1970, strictly growing) is its Last-Modified, and `fetched`
    the newest of them that an Apple phone has got. Since `replaced_at` another one is
    good instead.
    """

    id: PassId
    merchant_id: MerchantId
    card_id: CardId
    issuer: IssuerName
    changed_at: int
    installed: bool = False
    push_tokens: tuple[str, ...] = ()
    replaced_at: datetime | None = None
    fetched: int = 0
