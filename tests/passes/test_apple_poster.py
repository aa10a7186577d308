"""The iOS 27 poster beside the storeCard: one card, two faces, told of once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.rules.face import CardFace
from core.rules.types import Language, MerchantId, Reward, Spend
from jobs.demo.pass_file import open_pass
from passes.apple.bundle import build_pkpass
from passes.apple.rules import POSTER_GROUPS
from passes.artwork import Artwork
from tests.passes.apple_chain import is_signed, signer
from tests.passes.test_apple_bundle import unzip
from tests.passes.test_apple_pass_json import MARCH, draw, face, voucher
from tests.passes.test_news import SAID
from tests.passes.test_same_on_both import BOTH, a_face

Json = dict[str, Any]

# As much as a card can say at once.
FULL_FACE = face(
    vouchers=(voucher(),),
    expires_at=MARCH,
    spend=Spend(per=500),
    rewards=tuple(Reward(at=n, name="賞" * 60) for n in range(1, 11)),
)
PAGE_URL = "https://stamps.example.jp/w/holder"
SAME_TOP = {"locations", "expirationDate", "voided", "barcodes"}


def styles(a_face: CardFace) -> tuple[Json, Json]:
    info = draw(a_face).info
    return info["storeCard"], info["posterGeneric"]


def keys(style: Json) -> set[str]:
    return {field["key"] for group in style.values() for field in group}


def said(style: Json) -> dict[str, str]:
    """The messages for the lock screen, by the field that they tell of."""
    fields = [field for group in style.values() for field in group]
    return {f["key"]: f["changeMessage"] for f in fields if "changeMessage" in f}


async def pictures_of(a_face: CardFace) -> dict[str, bytes]:
    async def no_icon(_merchant_id: MerchantId, _digest: str) -> None:
        return None

    artwork = Artwork(no_icon)
    draw_kinds = {
        "icon": artwork.icon,
        "logo": artwork.logo,
        "strip": artwork.strip,
        "artwork": artwork.poster,
        "primaryLogo": artwork.primary_logo,
    }
    return {
        f"{kind}{suffix}.png": await draw_kind(a_face, scale)
        for kind, draw_kind in draw_kinds.items()
        for scale, suffix in ((1, ""), (2, "@2x"), (3, "@3x"))
    }


@pytest.mark.parametrize("a_card", [face(), face(0), FULL_FACE])
def test_the_poster_has_the_fields_of_the_store_card_within_its_room(a_card):
    card, poster = styles(a_card)
    assert poster["headerFields"] == card["headerFields"]
    front = [*card["secondaryFields"], *card["auxiliaryFields"]]
    assert poster["primaryFields"] == front
    assert poster["backFields"] == card["backFields"]
    assert set(poster) == {*POSTER_GROUPS, "backFields"}
    for group, most in POSTER_GROUPS.items():
        assert 1 <= len(poster[group]) <= most
    assert not any("textAlignment" in field for field in poster["primaryFields"])


def test_the_fullest_card_fills_all_four_primary_fields():
    _, poster = styles(FULL_FACE)
    shown = [field["key"] for field in poster["primaryFields"]]
    assert shown == ["next", "ready", "spend", "until"]


def test_the_one_footer_names_shop_and_card_as_the_poster_has_no_logo_text():
    # Of several footers Wallet draws the first alone.
    _, poster = styles(face())
    (footer,) = poster["footerFields"]
    assert footer == {"key": "title", "value": "あおぞら珈琲 コーヒーカード"}


@pytest.mark.parametrize("changes", [{}, {"vouchers": (voucher(),)}, {"news": SAID}])
def test_each_style_tells_of_one_field_and_both_of_the_same(changes):
    card, poster = styles(face(**changes))
    assert len(said(card)) == 1
    assert said(poster) == said(card)


def test_a_stamp_changes_one_field_with_a_message_in_each_style():
    before, after = styles(face(6, to_next=4)), styles(face(7))
    for old, new in zip(before, after, strict=True):
        values = [
            {f["key"]: f["value"] for group in style.values() for f in group}
            for style in (old, new)
        ]
        changed = {key for key in values[1] if values[0].get(key) != values[1][key]}
        assert changed & set(said(new)) == {"stamps"}


def test_an_older_phone_meets_nothing_new_but_the_style_that_it_leaves_out():
    info = draw(FULL_FACE, page_url=PAGE_URL).info
    assert set(info) - SAME_TOP == {
        *("formatVersion", "passTypeIdentifier", "teamIdentifier", "serialNumber"),
        *("organizationName", "description", "logoText", "sharingProhibited"),
        *("backgroundColor", "foregroundColor", "labelColor"),
        *("webServiceURL", "authenticationToken", "storeCard", "posterGeneric"),
        "featuredActions",
    }
    assert keys(info["storeCard"]).isdisjoint({"title"})


@pytest.mark.parametrize("name", [n for n in BOTH if n not in {"code", "look"}])
def test_what_the_store_card_says_of_a_face_the_poster_says_too(name):
    where, value = BOTH[name]
    before = a_face(expires_in_days=30, **where)
    spoken = [in_words(one) for one in (before, replace(before, **{name: value}))]
    changes_card = spoken[0]["storeCard"] != spoken[1]["storeCard"]
    changes_poster = spoken[0]["posterGeneric"] != spoken[1]["posterGeneric"]
    assert changes_poster or not changes_card, f"the poster forgets {name}"


def in_words(a_card: CardFace) -> dict[str, list[Json]]:
    """Every text of each style, in both languages."""
    content = draw(a_card)
    return {
        style: [
            {key: strings.get(text, text) for key, text in field.items()}
            for group in content.info[style].values()
            for field in group
            for strings in content.strings.values()
        ]
        for style in ("storeCard", "posterGeneric")
    }


@pytest.mark.parametrize(
    ("state", "japanese", "english"),
    [("stopped", "停止", "stopped"), ("expired", "期限", "expired")],
)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_void_card_says_why_on_the_poster_too(state, japanese, english, language):
    content = draw(face(state=state))
    field = content.info["posterGeneric"]["primaryFields"][0]
    value = content.strings[language].get(field["value"], field["value"])
    assert (japanese if language == "ja" else english) in value
    assert content.info["voided"] is True


@pytest.mark.parametrize(("language", "label"), [("ja", "スタンプ"), ("en", "Stamps")])
def test_the_poster_speaks_the_phones_language(language: Language, label):
    content = draw(face())
    (count,) = content.info["posterGeneric"]["headerFields"]
    assert content.strings[language].get(count["label"], count["label"]) == label
    assert count["value"] == "7/10"


@pytest.mark.parametrize("tool", ["smime", "cms"])
@pytest.mark.parametrize("state", ["active", "stopped", "expired"])
async def test_openssl_accepts_a_pass_with_its_poster(tmp_path, tool, state):
    a_card = face(state=state)
    content, pictures = draw(a_card), await pictures_of(a_card)
    whole = build_pkpass(content.info, pictures, content.strings, signer())
    open_pass(whole)  # every file of it is in the manifest
    files = unzip(whole)
    assert {n: files[n] for n in pictures} == pictures
    assert is_signed(tmp_path, files["manifest.json"], files["signature"], tool)


async def test_a_pass_with_its_poster_is_still_quick_to_fetch():
    largest = max(
        [
            sum(map(len, (await pictures_of(face(30, goal=goal, to_next=0))).values()))
            for goal in (30, 50)
        ]
    )
    assert largest < 120_000
