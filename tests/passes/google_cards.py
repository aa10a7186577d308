"""Faces, classes and objects for the Google tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from core.rules.face import CardFace
from core.rules.types import (
    CardId,
    HeldPass,
    Look,
    MerchantId,
    PassId,
    ProgramId,
    Reward,
    Shop,
    ShopId,
)
from passes.google.barcode import Rotation
from passes.google.objects import Json, loyalty_class, loyalty_object
from tests.conftest import START

ISSUER = "3388000000012345678"
HELD = HeldPass(
    id=PassId("01KB0000000000000000000PAS"),
    merchant_id=MerchantId("01KB0000000000000000000MER"),
    card_id=CardId("01KB0000000000000000000CRD"),
    issuer="google",
    changed_at=int(START.timestamp()),
)


def a_face(*, expires_in_days: int | None = None, **changes: Any) -> CardFace:
    """A coffee card with three of ten stamps."""
    values: dict[str, Any] = {
        "card_id": HELD.card_id,
        "merchant_id": HELD.merchant_id,
        "merchant_key": "aozora",
        "merchant_name": "あおぞら珈琲",
        "contact": "info@example.jp",
        "languages": ("ja", "en"),
        "language": "ja",
        "timezone": "Asia/Tokyo",
        "program_id": ProgramId("01KB0000000000000000000PRG"),
        "program_key": "coffee",
        "program_name": "コーヒーカード",
        "version": 1,
        "goal": 10,
        "balance": 3,
        "cycle": 0,
        "total": 3,
        "state": "active",
        "member_no": "1234-5678",
        "code": "K7Q2M9XA4C",
        "rewards": (Reward(at=10, name="コーヒー1杯"),),
        "next_reward": Reward(at=10, name="コーヒー1杯"),
        "to_next": 7,
        "vouchers": (),
        "expires_at": None,
        "last_stamp_at": START,
        "shops": (
            Shop(
                id=ShopId("S1"),
                key="main",
                name="本店",
                latitude=35.68,
                longitude=139.76,
            ),
        ),
        "look": Look(),
        "guide": "",
        "thanks": "",
        "remainder": 0,
        "spend": None,
        "next_program_name": None,
        "next_card_id": None,
        "stop_reason": "",
    }
    if expires_in_days is not None:
        values["expires_at"] = START + timedelta(days=expires_in_days)
    return CardFace(**(values | changes))


def a_class(face: CardFace) -> Json:
    """The class of a face as the issuer draws it."""
    return loyalty_class(
        face,
        issuer_id=ISSUER,
        callback_url="https://stamps.example.jp/google/aozora",
        logo_url="https://stamps.example.jp/logo.png",
        hero_url="https://stamps.example.jp/hero-0.png",
    )


def an_object(face: CardFace) -> Json:
    """The object of a face as the issuer draws it."""
    return loyalty_object(
        face,
        HELD,
        issuer_id=ISSUER,
        card_url=f"https://stamps.example.jp/c/{face.code}",
        hero_url=f"https://stamps.example.jp/hero-{face.balance}.png",
        rotation=Rotation(
            url=f"https://stamps.example.jp/c/T{face.member_no.replace('-', '')}",
            key=b"12345678901234567890",
        ),
    )
