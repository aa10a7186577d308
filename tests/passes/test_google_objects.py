"""Cards as Google's classes and objects: complete, private, within Google's limits."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from core.rules.types import (
    Reward,
    Shop,
    ShopId,
    Voucher,
    VoucherId,
)
from passes.google.objects import bare, loyalty_object, pass_of, volatile
from tests.conftest import START
from tests.google_schema import check, check_pair
from tests.passes.google_cards import HELD, ISSUER, a_class, a_face, an_object


def _voucher(number: str, days: int | None = 90) -> Voucher:
    return Voucher(
        id=VoucherId(number),
        card_id=HELD.card_id,
        number=number,
        name="コーヒー1杯",
        state="issued",
        issued_at=START,
        expires_at=None if days is None else START + timedelta(days=days),
    )


def _text(thing: dict[str, Any], name: str) -> dict[str, Any]:
    return next(t for t in thing["textModulesData"] if t["id"] == name)


def test_the_class_and_the_object_have_googles_shape() -> None:
    face = a_face(expires_in_days=30, guide="1日1回まで", vouchers=(_voucher("0001"),))

    assert check("loyaltyClass", a_class(face)) == []
    assert check("loyaltyObject", an_object(face)) == []
    assert check_pair(a_class(face), an_object(face)) == []


@pytest.mark.parametrize("goal", [1, 5, 10, 20, 21, 50])
@pytest.mark.parametrize("balance", [0, 1, 50])
def test_every_size_of_card_keeps_the_limits(goal: int, balance: int) -> None:
    face = a_face(goal=goal, balance=min(goal, balance))

    assert check("loyaltyObject", an_object(face)) == []


def test_long_words_of_a_merchant_are_cut_to_what_google_takes() -> None:
    face = a_face(
        merchant_name="とても長い名前の喫茶店" * 4,
        program_name="スタンプカード" * 6,
        guide="案内" * 500,
        member_no="9" * 40,
        next_reward=Reward(at=10, name="景品" * 400),
        vouchers=tuple(_voucher(f"{n:04}") for n in range(40)),
    )

    assert check("loyaltyClass", a_class(face)) == []
    assert check("loyaltyObject", an_object(face)) == []
    assert a_class(face)["issuerName"] == "とても長い名前の喫茶店とても長い名前の…"


def test_a_cut_never_splits_a_joined_emoji() -> None:
    family = "👨\u200d👩\u200d👧"
    name = a_class(a_face(merchant_name="あ" * 17 + family + "い"))["issuerName"]

    assert name == "あ" * 17 + "…"


def test_ids_are_made_of_the_program_and_the_pass_only() -> None:
    thing = an_object(a_face())

    assert thing["classId"] == f"{ISSUER}.p.{a_face().program_id}"
    assert thing["id"] == f"{ISSUER}.c.{HELD.id}"
    assert pass_of(ISSUER, thing["id"]) == HELD.id
    assert pass_of("33880000000", thing["id"]) is None


def test_the_stamps_are_told_in_text_and_picture() -> None:
    thing = an_object(a_face(balance=7))

    assert thing["loyaltyPoints"]["balance"] == {"string": "7/10"}
    assert _text(thing, "row")["body"] == "●●●●● ●●○○○"
    assert thing["heroImage"]["sourceUri"]["uri"].endswith("/hero-7.png")


def test_a_goal_too_wide_for_circles_is_told_in_numbers() -> None:
    assert _text(an_object(a_face(goal=30)), "row")["body"] == "3/30"


def test_the_next_reward_is_told_in_both_languages() -> None:
    said = _text(an_object(a_face()), "next")["localizedBody"]

    assert said["defaultValue"] == {
        "language": "ja",
        "value": "あと7個で「コーヒー1杯」",
    }
    assert said["translatedValues"] == [
        {"language": "en", "value": "7 more stamps for “コーヒー1杯”"}
    ]


def test_a_merchant_of_one_language_sends_an_empty_list_of_translations() -> None:
    said = _text(an_object(a_face(languages=("en",))), "next")

    assert said["body"] == "7 more stamps for “コーヒー1杯”"
    # Absent, a PATCH would leave the old translation.
    assert said["localizedBody"]["translatedValues"] == []


def test_a_full_card_says_so_and_stays_active() -> None:
    face = a_face(balance=10, next_reward=None, to_next=0, vouchers=(_voucher("0042"),))
    thing = an_object(face)

    assert thing["state"] == "ACTIVE"
    assert "いっぱい" in _text(thing, "next")["body"]
    assert thing["secondaryLoyaltyPoints"]["balance"] == {"int": 1}
    assert "0042" in _text(thing, "vouchers")["body"]


@pytest.mark.parametrize(
    ("state", "googles", "words"),
    [
        ("active", "ACTIVE", "あと7個"),
        ("paused", "ACTIVE", "休んで"),
        ("stopped", "INACTIVE", "停止"),
        ("expired", "EXPIRED", "期限が切れ"),
    ],
)
def test_each_state_has_googles_word_for_it(
    state: str, googles: str, words: str
) -> None:
    thing = an_object(a_face(state=state))

    assert thing["state"] == googles
    assert words in _text(thing, "next")["body"]


def test_the_end_of_a_card_is_told_with_the_merchants_offset() -> None:
    thing = an_object(a_face(expires_in_days=30))

    assert thing["validTimeInterval"] == {"end": {"date": "2026-12-23T15:00:00+09:00"}}


def test_the_details_page_says_what_the_back_of_apples_pass_says() -> None:
    thing = an_object(a_face(guide="1日1回"))

    assert _text(thing, "guide")["body"] == "1日1回"
    assert _text(thing, "rewards")["body"] == "10個 コーヒー1杯"
    assert _text(thing, "shops")["body"] == "本店"
    assert "11" in _text(thing, "last")["body"]
    [page] = thing["linksModuleData"]["uris"]
    assert page["uri"] == "https://stamps.example.jp/c/K7Q2M9XA4C"


def test_a_guide_that_went_into_the_class_before_is_cleared_from_it() -> None:
    assert a_class(a_face(guide="1日1回"))["textModulesData"] == []


def test_a_patch_has_every_volatile_field_and_deletes_what_is_gone() -> None:
    patch = volatile(an_object(a_face()))

    assert patch.keys() == {
        "state",
        "accountId",
        "barcode",
        "rotatingBarcode",
        "passConstraints",
        "loyaltyPoints",
        "secondaryLoyaltyPoints",
        "heroImage",
        "textModulesData",
        "linksModuleData",
        "validTimeInterval",
    }
    assert patch["validTimeInterval"] is None


@pytest.mark.parametrize("state", ["active", "paused", "expired"])
def test_a_protected_card_has_a_code_that_changes_and_no_other(state: str) -> None:
    thing = an_object(a_face(changing_code=True, state=state))

    assert check("loyaltyObject", thing) == []
    assert thing["rotatingBarcode"] == {
        "type": "QR_CODE",
        "valuePattern": "https://stamps.example.jp/c/T12345678{totp_value_0}",
        "alternateText": "1234-5678",
        "totpDetails": {
            "algorithm": "TOTP_SHA1",
            "periodMillis": "30000",
            "parameters": [{"key": b"12345678901234567890".hex(), "valueLength": 6}],
        },
    }
    assert thing["passConstraints"] == {"screenshotEligibility": "INELIGIBLE"}
    assert volatile(thing)["barcode"] is None


def test_an_open_card_has_a_code_that_stays_and_may_be_photographed() -> None:
    patch = volatile(an_object(a_face()))

    assert patch["barcode"]["value"].endswith("/c/K7Q2M9XA4C")
    assert patch["rotatingBarcode"] is None
    assert patch["passConstraints"] is None


def test_a_protected_card_is_never_drawn_with_a_code_that_stays() -> None:
    with pytest.raises(AssertionError):
        loyalty_object(
            a_face(changing_code=True),
            HELD,
            issuer_id=ISSUER,
            card_url="https://stamps.example.jp/c/K7Q2M9XA4C",
            hero_url="https://stamps.example.jp/hero.png",
        )


def test_no_name_and_no_line_id_leaves_the_house() -> None:
    sent = json.dumps(an_object(a_face()), ensure_ascii=False)

    assert "accountName" not in sent
    assert "U000" not in sent


def test_a_shell_has_its_ids_and_says_that_the_card_was_stopped() -> None:
    shell = bare(a_face(), HELD, issuer_id=ISSUER)
    [text] = shell.pop("textModulesData")

    assert text["body"] == "このカードは停止されています"
    assert shell == {
        "id": f"{ISSUER}.c.{HELD.id}",
        "classId": f"{ISSUER}.p.{a_face().program_id}",
        "state": "INACTIVE",
    }


@pytest.mark.parametrize(
    ("contact", "uri"),
    [
        ("info@example.jp", "mailto:info@example.jp"),
        ("03-1234-5678", "tel:0312345678"),
        ("https://example.jp/contact", "https://example.jp/contact"),
        ("店頭でどうぞ", None),
        ("", None),
    ],
)
def test_a_contact_becomes_a_link_where_it_can(contact: str, uri: str | None) -> None:
    uris = a_class(a_face(contact=contact))["linksModuleData"]["uris"]

    assert [u["uri"] for u in uris] == ([uri] if uri else [])
    assert check("loyaltyClass", a_class(a_face(contact=contact))) == []


def test_ten_shops_with_a_place_are_named_and_no_more() -> None:
    def shop(number: int, latitude: float | None) -> Shop:
        name = f"s{number}"
        return Shop(
            id=ShopId(name), key=name, name=name, latitude=latitude, longitude=139.0
        )

    shops = (shop(0, None), *(shop(n, 35.0) for n in range(1, 13)))

    assert len(a_class(a_face(shops=shops))["merchantLocations"]) == 10
    assert a_class(a_face(shops=shops[:1]))["merchantLocations"] == []
