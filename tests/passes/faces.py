"""Card faces for tests of pictures: a coffee card, not stored anywhere."""

from __future__ import annotations

from typing import Any

from core.rules.face import CardFace
from core.rules.types import (
    CardId,
    Look,
    MerchantId,
    ProgramId,
    Reward,
)

BROWN = Look(background="#5A3A22", foreground="#FFFFFF", icon="coffee")


def make_face(
    balance: int = 3, goal: int = 10, extra: tuple[int, ...] = (5,), **changes: Any
) -> CardFace:
    values: dict[str, Any] = {
        "card_id": CardId("c"),
        "merchant_id": MerchantId("m"),
        "merchant_key": "aozora",
        "merchant_name": "あおぞら珈琲",
        "contact": "info@example.jp",
        "languages": ("ja",),
        "language": "ja",
        "timezone": "Asia/Tokyo",
        "program_id": ProgramId("01KBCOFFEE"),
        "program_key": "coffee",
        "program_name": "コーヒーカード",
        "version": 2,
        "goal": goal,
        "balance": balance,
        "cycle": 0,
        "total": balance,
        "state": "active",
        "member_no": "1234-5678",
        "code": "secret",
        "rewards": tuple(Reward(at=at, name="x") for at in (*extra, goal)),
        "next_reward": None,
        "to_next": 0,
        "vouchers": (),
        "expires_at": None,
        "last_stamp_at": None,
        "shops": (),
        "look": BROWN,
        "guide": "",
        "thanks": "",
        "remainder": 0,
        "spend": None,
        "next_program_name": None,
        "next_card_id": None,
        "stop_reason": "",
    }
    return CardFace(**(values | changes))
