"""A card that nobody holds, to show what a design looks like."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.rules.expiry import card_expires_at
from core.rules.face import CardFace, draw_face
from core.rules.types import (
    Card,
    CardId,
    Customer,
    CustomerId,
    Design,
    Language,
    Merchant,
    Program,
    Shop,
)

_MEMBER_NO = "123 456"


def sample_balance(design: Design) -> int:
    """A count that shows both kinds of places."""
    return max(1, design.goal * 6 // 10)


def sample_face(
    merchant: Merchant,
    program: Program,
    design: Design,
    shops: Sequence[Shop],
    balance: int,
    language: Language,
    now: datetime,
    next_program_name: str | None = None,
) -> CardFace:
    """The face of a card of `design` with `balance` stamps, stamped just now."""
    first = now - timedelta(days=30)
    card = Card(
        id=CardId("preview"),
        merchant_id=merchant.id,
        program_id=program.id,
        customer_id=CustomerId("preview"),
        version=program.version,
        state="active",
        balance=balance,
        cycle=0,
        total=balance,
        revision=1,
        code="SAMPLE000000",
        issued_at=first,
        first_stamp_at=first,
        last_stamp_at=now,
        # Something has been spent towards the next stamp.
        remainder=design.spend.per * 2 // 5 if design.spend else 0,
        expires_at=card_expires_at(
            design.expires,
            first=first,
            last=now,
            zone=ZoneInfo(merchant.timezone),
            day_starts_at=merchant.day_starts_at,
        ),
    )
    customer = Customer(
        id=CustomerId("preview"),
        merchant_id=merchant.id,
        member_no=_MEMBER_NO,
        line_user_id=None,
        name="",
        language=language,
    )
    return draw_face(
        merchant=merchant,
        program=program,
        design=design,
        card=card,
        customer=customer,
        vouchers=(),
        shops=shops,
        now=now,
        next_program_name=next_program_name,
    )
