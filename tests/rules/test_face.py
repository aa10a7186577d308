"""What is put into a card's face, whatever channel shows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from core.rules.face import CardFace, draw_face
from core.rules.types import (
    Card,
    CardId,
    Customer,
    CustomerId,
    Merchant,
    MerchantId,
    Program,
    ProgramId,
    Spend,
)
from tests.builders import coffee
from tests.conftest import START

MERCHANT = Merchant(
    id=MerchantId("m"),
    key="aozora",
    name="あおぞら珈琲",
    timezone="Asia/Tokyo",
    day_starts_at=5,
    contact="",
    languages=("ja",),
)
CUSTOMER = Customer(
    id=CustomerId("u"),
    merchant_id=MERCHANT.id,
    member_no="1234-5678",
    line_user_id=None,
    name="",
    language="ja",
)
CARD = Card(
    id=CardId("c"),
    merchant_id=MERCHANT.id,
    program_id=ProgramId("p"),
    customer_id=CUSTOMER.id,
    version=1,
    state="active",
    balance=3,
    cycle=0,
    total=3,
    revision=1,
    code="7K3Q9FJ2",
    issued_at=START,
    first_stamp_at=START,
    last_stamp_at=START,
    expires_at=None,
)


def draw(card: Card = CARD, state="active", name=None, **design) -> CardFace:
    shown = coffee(**design)
    program = Program(
        id=card.program_id,
        merchant_id=MERCHANT.id,
        key="coffee",
        state=state,
        version=1,
        design=shown,
    )
    return draw_face(
        merchant=MERCHANT,
        program=program,
        design=shown,
        card=card,
        customer=CUSTOMER,
        vouchers=(),
        shops=(),
        now=START,
        next_program_name=name,
    )


def test_a_card_whose_time_is_up_is_expired_unless_its_stamps_went_on():
    over = replace(CARD, expires_at=START - timedelta(seconds=1))
    assert draw(over).state == "expired"
    moved = draw(replace(over, next_card_id=CardId("gold")), name="ゴールドカード")
    assert (moved.state, moved.expires_at, moved.ranked_up) == ("active", None, True)
    assert moved.next_program_name == "ゴールドカード"


@pytest.mark.parametrize("state", ["stopped", "archived"])
def test_a_stopped_card_is_stopped_wherever_its_stamps_went(state):
    stopped = replace(CARD, next_card_id=CardId("gold"), stop_reason="紛失")
    if state == "stopped":
        stopped = replace(stopped, state="stopped")
    face = draw(stopped, state if state == "archived" else "active")
    assert (face.state, face.stop_reason) == ("stopped", "紛失")


def test_the_rest_of_an_amount_is_the_card_s_own():
    face = draw(replace(CARD, remainder=180), spend=Spend(per=500))
    assert (face.remainder, face.spend, face.to_spend) == (180, Spend(per=500), 320)
    assert draw(replace(CARD, remainder=180)).to_spend is None
