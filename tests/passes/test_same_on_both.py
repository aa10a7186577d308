"""What one wallet shows, the other one shows too: nobody has a poorer card."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from core.rules.face import CardFace
from core.rules.types import (
    CardId,
    Look,
    MerchantId,
    ProgramId,
    Reward,
    Shop,
    ShopId,
    Spend,
    Voucher,
)
from passes.apple.pass_json import draw_pass
from passes.google.objects import bare
from tests.conftest import START
from tests.passes.google_cards import HELD, ISSUER, a_class, a_face, an_object

FULL = {"balance": 10, "to_next": 0, "next_reward": None}
VOUCHER = Voucher(
    id="V1",
    card_id=HELD.card_id,
    number="123",
    name="コーヒー1杯",
    state="issued",
    issued_at=START,
    expires_at=START,
)
ELSEWHERE = Shop(
    id=ShopId("S2"), key="two", name="駅前店", latitude=35.0, longitude=135.0
)

# Field of a face → the card on which it matters, and another value for it.
BOTH: dict[str, tuple[dict[str, Any], Any]] = {
    "merchant_name": ({}, "あおぞら"),
    "contact": ({}, "shop@example.jp"),
    "languages": ({}, ("ja",)),
    "timezone": ({}, "America/Los_Angeles"),
    "program_name": ({}, "紅茶カード"),
    "goal": ({}, 12),
    "balance": ({}, 4),
    "state": ({}, "paused"),
    "member_no": ({}, "8765-4321"),
    "code": ({}, "0000000000"),
    "rewards": ({}, (Reward(at=10, name="紅茶1杯"),)),
    "next_reward": ({}, Reward(at=10, name="紅茶1杯")),
    "to_next": ({}, 6),
    "vouchers": ({}, (VOUCHER,)),
    "expires_at": ({}, START + timedelta(days=9)),
    "last_stamp_at": ({}, START - timedelta(days=1)),
    "shops": ({}, (ELSEWHERE,)),
    "look": ({}, Look(background="#113355")),
    "guide": ({}, "1日1回まで"),
    "remainder": ({"spend": Spend(per=500)}, 200),
    "spend": ({}, Spend(per=300)),
    "next_program_name": (FULL, "ゴールドカード"),
    "next_card_id": (FULL | {"next_program_name": "ゴールドカード"}, CardId("C2")),
    "stop_reason": ({"state": "stopped"}, "退会"),
    "is_replaced": ({"state": "stopped"}, True),
}
# Told by the chat and the pages, not by a pass.
NEITHER = {
    "card_id": CardId("C9"),
    "merchant_id": MerchantId("M9"),
    "merchant_key": "other",
    "language": "en",  # the phone's own language counts
    "program_key": "other",
    "version": 2,
    "cycle": 1,
    "total": 13,
    "thanks": "ありがとう",
}
# Google's ids are made of the one; Apple has no code that changes.
GOOGLE_ONLY = {"program_id": ProgramId("P9"), "changing_code": True}
# Tested where news are: they are texts of their own.
ELSEWHERE_TESTED = {"news"}


def apple(face: CardFace) -> str:
    """Everything that Apple's pass says, without its pictures."""
    content = draw_pass(
        face,
        serial=HELD.id,
        auth_token="a-token-of-sixteen-letters",
        pass_type_id="pass.jp.example.aozora",
        team_id="ABCDE12345",
        public_url="https://stamps.example.jp",
        card_url=f"https://stamps.example.jp/c/{face.code}",
    )
    return json.dumps([content.info, content.strings], sort_keys=True)


def google(face: CardFace) -> str:
    """Everything that Google is told, with a picture that never changes."""
    picture = {"sourceUri": {"uri": "https://stamps.example.jp/hero.png"}}
    thing = an_object(face) | {"heroImage": picture}
    if face.state == "stopped":
        thing = bare(face, HELD, issuer_id=ISSUER)
    a_blank = replace(face, balance=0, merchant_key="aozora")
    return json.dumps([a_class(a_blank), thing], sort_keys=True)


def test_every_field_of_a_face_is_decided_here() -> None:
    # A new field fails this test until somebody says which wallets show it.
    decided = {*BOTH, *NEITHER, *GOOGLE_ONLY, *ELSEWHERE_TESTED}
    assert {field.name for field in fields(CardFace)} == decided


@pytest.mark.parametrize("name", BOTH)
def test_what_one_wallet_shows_the_other_shows_too(name: str) -> None:
    where, value = BOTH[name]
    before = a_face(expires_in_days=30, **where)
    after = replace(before, **{name: value})

    assert apple(before) != apple(after), f"Apple forgets {name}"
    assert google(before) != google(after), f"Google forgets {name}"


@pytest.mark.parametrize("name", NEITHER)
def test_what_neither_shows_changes_no_pass(name: str) -> None:
    before = a_face(expires_in_days=30)
    after = replace(before, **{name: NEITHER[name]})

    assert apple(before) == apple(after)
    assert google(before) == google(after)


@pytest.mark.parametrize("name", GOOGLE_ONLY)
def test_what_google_alone_has_leaves_apples_pass_as_it_is(name: str) -> None:
    before = a_face(expires_in_days=30)
    after = replace(before, **{name: GOOGLE_ONLY[name]})

    assert apple(before) == apple(after)
    assert google(before) != google(after)
