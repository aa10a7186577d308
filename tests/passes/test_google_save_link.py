"""Save links: short, and signed so that Google's own verifier agrees."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from google.auth.crypt import RSAVerifier

from core.errors import DeliveryError
from core.rules.types import Voucher, VoucherId
from passes.google.account import ServiceAccount, load_account
from passes.google.save_link import MAX_JWT, SAVE_URL, lean_link, skinny_link
from tests.conftest import START
from tests.jobs.google_world import service_account
from tests.passes.google_cards import HELD, a_face, an_object

ORIGIN = "https://stamps.example.jp"
# As long as it may get: the longest of every field that goes into a link.
FULL = an_object(
    a_face(
        member_no="9" * 40,
        goal=50,
        balance=50,
        expires_in_days=30,
        code="K" * 16,
        vouchers=tuple(
            Voucher(
                id=VoucherId(str(n)),
                card_id=HELD.card_id,
                number=f"{n:04}",
                name="特製ブレンドコーヒー1杯",
                state="issued",
                issued_at=START,
                expires_at=START,
            )
            for n in range(5)
        ),
    )
)


@pytest.fixture(scope="module")
def account() -> ServiceAccount:
    return load_account(service_account()[0])


def _claims(link: str) -> dict[str, Any]:
    part = link.removeprefix(SAVE_URL).split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "==")))


def test_a_skinny_link_names_the_object_and_nothing_else(
    account: ServiceAccount,
) -> None:
    link = skinny_link(account, FULL, origin=ORIGIN, now=START)

    assert _claims(link) == {
        "iss": account.email,
        "aud": "google",
        "typ": "savetowallet",
        "iat": int(START.timestamp()),
        "origins": [ORIGIN],
        "payload": {"loyaltyObjects": [{"id": FULL["id"], "classId": FULL["classId"]}]},
    }
    assert len(link.removeprefix(SAVE_URL)) < 1000


def test_a_lean_link_makes_a_usable_card(account: ServiceAccount) -> None:
    link = lean_link(account, FULL, origin=ORIGIN, now=START)

    [thing] = _claims(link)["payload"]["loyaltyObjects"]
    assert thing.keys() == {
        "id",
        "classId",
        "state",
        "barcode",
        "accountId",
        "loyaltyPoints",
    }
    assert thing["loyaltyPoints"]["balance"] == {"string": "50/50"}
    assert len(link.removeprefix(SAVE_URL)) <= MAX_JWT


def test_a_lean_link_drops_what_has_no_room(account: ServiceAccount) -> None:
    long_barcode = FULL | {
        "barcode": {"type": "QR_CODE", "value": "https://" + "x" * 600}
    }

    link = lean_link(account, long_barcode, origin=ORIGIN, now=START)

    [thing] = _claims(link)["payload"]["loyaltyObjects"]
    assert len(link.removeprefix(SAVE_URL)) <= MAX_JWT
    assert "loyaltyPoints" not in thing
    assert thing["barcode"]["value"].startswith("https://x")


def test_no_link_carries_the_secret_of_a_code_that_changes(
    account: ServiceAccount,
) -> None:
    thing = an_object(a_face(changing_code=True))
    [parameters] = thing["rotatingBarcode"]["totpDetails"]["parameters"]

    for make in (skinny_link, lean_link):
        claims = _claims(make(account, thing, origin=ORIGIN, now=START))
        [named] = claims["payload"]["loyaltyObjects"]
        assert named["id"] == thing["id"]
        # Nor the code that stays, which it must not have either.
        assert not {"barcode", "rotatingBarcode"} & named.keys()
        assert parameters["key"].lower() not in json.dumps(claims).lower()


def test_googles_own_verifier_takes_the_signature(account: ServiceAccount) -> None:
    link = skinny_link(account, FULL, origin=ORIGIN, now=START)
    signed, _, signature = link.removeprefix(SAVE_URL).rpartition(".")
    key = service_account()[1]

    verifier = RSAVerifier(key)
    raw = base64.urlsafe_b64decode(signature + "==")
    assert verifier.verify(signed.encode(), raw)
    assert not verifier.verify(signed.encode() + b"x", raw)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"private_key": "no key", "client_email": "a@b"}',
        '{"private_key": 7, "client_email": "a@b"}',
    ],
)
def test_a_key_that_cannot_be_read_halts_the_connection_and_is_not_quoted(
    text: str,
) -> None:
    with pytest.raises(DeliveryError) as caught:
        load_account(text)

    assert caught.value.halts
    assert "no key" not in str(caught.value)


def test_an_account_never_shows_its_key(account: ServiceAccount) -> None:
    assert "RSA" not in repr(account)
