"""The face of a card: the one value that LINE, Apple, Google, the card page and the
preview draw from. A fact that a customer may see is here or nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from core.rules.reminding import LastNews
from core.rules.types import (
    Card,
    CardId,
    Customer,
    Design,
    Language,
    Look,
    Merchant,
    MerchantId,
    Program,
    ProgramId,
    ProgramState,
    Reward,
    Shop,
    Spend,
    Voucher,
)

FaceState = Literal["active", "paused", "stopped", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFace:
    """Everything that any channel shows of one card, without words.

    Words come from `core.wording` in the reader's language. `balance` of `goal` stamps
    are filled; `next_reward` is the nearest reward still ahead on this card and
    `to_next` how many stamps it is away (both None/0 on a full card). `version` and
    `program_id` name the design, so that pictures of one design and count are shared.

    `remainder` is what was spent towards the next stamp by the rule `spend` (None: no
    amount counts). `next_program_name` is the card that a full one leads to (None: a
    new one of the same kind), `next_card_id` that card once it has begun. `stop_reason`
    is said where the card is stopped. `news` is what the passes of the card said last
    (None, too, for who does not draw a pass). `is_replaced` is for a pass in whose
    stead another one is good. `changing_code`: no code that stays is shown where one
    can change.
    """

    card_id: CardId
    merchant_id: MerchantId
    merchant_key: str
    merchant_name: str
    contact: str
    languages: tuple[Language, ...]
    language: Language
    timezone: str
    program_id: ProgramId
    program_key: str
    program_name: str
    version: int
    goal: int
    balance: int
    cycle: int
    total: int
    state: FaceState
    member_no: str
    code: str
    rewards: tuple[Reward, ...]
    next_reward: Reward | None
    to_next: int
    vouchers: tuple[Voucher, ...]
    expires_at: datetime | None
    last_stamp_at: datetime | None
    shops: tuple[Shop, ...]
    look: Look
    guide: str
    thanks: str
    remainder: int
    spend: Spend | None
    next_program_name: str | None
    next_card_id: CardId | None
    stop_reason: str
    news: LastNews | None = None
    is_replaced: bool = False
    changing_code: bool = False

    @property
    def is_full(self) -> bool:
        """True while the card shows all its stamps."""
        return self.balance >= self.goal

    @property
    def ranked_up(self) -> bool:
        """Has another card taken over from this one?"""
        return self.next_card_id is not None

    @property
    def to_spend(self) -> int | None:
        """The smallest purchase that earns the next stamp; None where none does."""
        if self.spend is None or self.state != "active" or self.ranked_up:
            return None
        return max(self.spend.per - self.remainder, self.spend.minimum)


def draw_face(
    *,
    merchant: Merchant,
    program: Program,
    design: Design,
    card: Card,
    customer: Customer,
    vouchers: Sequence[Voucher],
    shops: Sequence[Shop],
    now: datetime,
    next_program_name: str | None = None,
) -> CardFace:
    """Put together what may be shown of `card` at `now`; `design` is the card's own.

    `next_program_name` is the card that this one leads to, or has led to.
    """
    ahead = sorted((r for r in design.rewards if r.at > card.balance), key=_at)
    nearest = ahead[0] if ahead else None
    return CardFace(
        card_id=card.id,
        merchant_id=merchant.id,
        merchant_key=merchant.key,
        merchant_name=merchant.name,
        contact=merchant.contact,
        languages=merchant.languages,
        language=customer.language,
        timezone=merchant.timezone,
        program_id=program.id,
        program_key=program.key,
        program_name=design.name,
        version=card.version,
        goal=design.goal,
        balance=card.balance,
        cycle=card.cycle,
        total=card.total,
        state=_state(card, program.state, now),
        member_no=customer.member_no,
        code=card.code,
        rewards=tuple(sorted(design.rewards, key=_at)),
        next_reward=nearest,
        to_next=nearest.at - card.balance if nearest else 0,
        vouchers=tuple(v for v in vouchers if v.state == "issued"),
        # Stamps that were handed on cannot run out.
        expires_at=None if card.next_card_id else card.expires_at,
        last_stamp_at=card.last_stamp_at,
        shops=tuple(shops),
        look=design.look,
        guide=design.guide,
        thanks=design.thanks,
        remainder=card.remainder,
        spend=design.spend,
        next_program_name=next_program_name,
        next_card_id=card.next_card_id,
        stop_reason=card.stop_reason,
        changing_code=design.changing_code,
    )


def replaced_face(face: CardFace, code: str) -> CardFace:
    """What a pass shows that was replaced: nothing of the card that goes on.

    It may be on a phone that somebody found. `code` is the one that it had.
    """
    return replace(
        face,
        state="stopped",
        is_replaced=True,
        code=code,
        balance=0,
        cycle=0,
        total=0,
        vouchers=(),
        expires_at=None,
        last_stamp_at=None,
        remainder=0,
        spend=None,
        next_program_name=None,
        next_card_id=None,
        stop_reason="",
        news=None,
    )


def _at(reward: Reward) -> int:
    return reward.at


def _state(card: Card, program: ProgramState, now: datetime) -> FaceState:
    if card.state == "stopped" or program == "archived":
        return "stopped"
    is_over = card.expires_at is not None and card.expires_at <= now
    if is_over and card.next_card_id is None:
        return "expired"
    return "paused" if program == "paused" else "active"
