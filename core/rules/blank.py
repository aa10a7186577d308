"""A program's card as nobody holds it yet: no stamps, the newest design. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from core.rules.face import CardFace, draw_face
from core.rules.types import (
    Card,
    CardId,
    Customer,
    CustomerId,
    Merchant,
    Program,
    Shop,
)


def blank_face(
    merchant: Merchant, program: Program, shops: Sequence[Shop], now: datetime
) -> CardFace:
    """An empty card of nobody in the program's published design."""
    customer = Customer(
        id=CustomerId(""),
        merchant_id=merchant.id,
        member_no="",
        line_user_id=None,
        name="",
        language=merchant.languages[0] if merchant.languages else "ja",
    )
    card = Card(
        id=CardId(""),
        merchant_id=merchant.id,
        program_id=program.id,
        customer_id=customer.id,
        version=program.version,
        state="active",
        balance=0,
        cycle=0,
        total=0,
        revision=1,
        code="",
        issued_at=now,
        first_stamp_at=None,
        last_stamp_at=None,
        expires_at=None,
    )
    return draw_face(
        merchant=merchant,
        program=program,
        design=program.design,
        card=card,
        customer=customer,
        vouchers=(),
        shops=shops,
        now=now,
    )
