"""What an Apple pass says of a card, and that phones would take it."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509

from core.rules.types import (
    Look,
    Reward,
    Shop,
    ShopId,
    Voucher,
)
from core.wording import say
from jobs.demo.pass_file import open_pass
from passes.apple.bundle import build_pkpass
from passes.apple.pass_json import draw_pass
from passes.apple.rules import GROUPS
from tests.passes.apple_chain import PASS_TYPE, TEAM, signer
from tests.passes.faces import make_face
from tests.passes.strings_file import read_strings
from tests.passes.test_apple_bundle import PICTURES, unzip

CARD_URL = "https://stamps.example.jp/c/7K3Q9FJ2"
MARCH = datetime(2027, 3, 31, 20, tzinfo=UTC)  # 1 April, 5:00 in Tokyo
SHOP = Shop(id=ShopId("s"), key="main", name="本店", latitude=35.68, longitude=139.76)
COFFEE = Reward(at=10, name="コーヒー1杯")


def voucher(number="123", name="コーヒー1杯", ends=None):
    return Voucher(
        id=f"v{number}",
        card_id="c",
        number=number,
        name=name,
        state="issued",
        issued_at=MARCH,
        expires_at=ends,
    )


def face(balance=7, **changes):
    values = {
        "languages": ("ja", "en"),
        "rewards": (COFFEE,),
        "next_reward": COFFEE,
        "to_next": 10 - balance,
        "shops": (SHOP,),
    }
    return make_face(balance, **(values | changes))


def draw(a_face=None, **changes):
    return draw_pass(
        a_face or face(),
        serial="01KBSERIALSERIALSERIAL0000",
        auth_token="a-token-of-sixteen-letters",
        pass_type_id=PASS_TYPE,
        team_id=TEAM,
        public_url="https://stamps.example.jp",
        card_url=CARD_URL,
        **changes,
    )


def opened(a_face=None):
    content = draw(a_face)
    return open_pass(build_pkpass(content.info, PICTURES, content.strings, signer()))


def text_of(a_face, key, language="ja", part="value"):
    found = opened(a_face)
    fields = [
        f
        for g in ("header", "secondary", "auxiliary", "back")
        for f in found.fields(g, language)
    ]
    return next((f[part] for f in fields if f["key"] == key), None)


def test_the_count_is_the_header_and_no_field_covers_the_stamps():
    card = draw().info["storeCard"]
    (count,) = card["headerFields"]
    assert count["value"] == "7/10"
    assert "primaryFields" not in card


@pytest.mark.parametrize("vouchers", [(), (voucher(),)])
def test_only_the_count_has_a_change_message_with_the_count_in_it(vouchers):
    card = draw(face(vouchers=vouchers)).info["storeCard"]
    messages = {
        field["key"]: field["changeMessage"]
        for group in GROUPS
        for field in card.get(group, [])
        if "changeMessage" in field
    }
    assert list(messages) == ["stamps"]
    assert messages["stamps"].count("%@") == 1


def test_the_lock_screen_tells_of_a_waiting_reward():
    plain = text_of(face(), "stamps", part="changeMessage")
    assert plain == "スタンプが %@ になりました"
    two = face(vouchers=(voucher("1"), voucher("2")))
    assert "特典が2枚" in text_of(two, "stamps", part="changeMessage")
    assert "2 rewards" in text_of(two, "stamps", "en", "changeMessage")


def test_both_languages_say_the_next_reward():
    assert text_of(face(), "next") == "あと3個で「コーヒー1杯」"
    assert text_of(face(), "next", "en") == "3 more stamps for “コーヒー1杯”"
    assert text_of(face(), "next", "en", "label") == "Next reward"
    full = face(10, next_reward=None, to_next=0)
    assert "いっぱい" in text_of(full, "next")


@pytest.mark.parametrize(
    ("state", "word", "voided"),
    [("stopped", "停止", True), ("expired", "期限", True), ("paused", "休ん", False)],
)
def test_a_card_out_of_use_says_why_and_is_voided(state, word, voided):
    found = face(state=state)
    assert word in text_of(found, "next")
    assert draw(found).info.get("voided", False) is voided
    # Nobody is called into the shop for a card that is no more.
    assert ("locations" in draw(found).info) is not voided


def test_the_expiry_is_the_last_business_day_in_words_and_the_instant_in_data():
    found = face(expires_at=MARCH, vouchers=(voucher(ends=MARCH),))
    assert draw(found).info["expirationDate"] == "2027-04-01T05:00:00+09:00"
    assert text_of(found, "until") == "2027/3/31"
    assert text_of(found, "until", "en") == "Mar 31, 2027"
    assert text_of(found, "vouchers") == "特典「コーヒー1杯」 No.123 2027/3/31まで"
    assert text_of(face(), "until") is None
    assert "expirationDate" not in draw().info


def test_the_back_has_everything_a_holder_asks_for():
    found = face(
        guide="1杯につき1個\nお会計のときに",
        last_stamp_at=datetime(2026, 11, 23, 6, 5, tzinfo=UTC),
        shops=(SHOP, replace(SHOP, name="駅前店")),
    )
    assert text_of(found, "guide") == "1杯につき1個\nお会計のときに"
    assert text_of(found, "rewards") == "10個 コーヒー1杯"
    assert text_of(found, "member") == "1234-5678"
    assert text_of(found, "last") == "11/23 15:05"
    assert text_of(found, "last", "en") == "Nov 23, 15:05"
    assert text_of(found, "shops") == "本店\n駅前店"
    assert text_of(found, "page") == CARD_URL


def test_the_back_names_the_shops_contact_and_the_services():
    # Apple's review asks for both where they differ.
    assert text_of(face(), "contact") == "あおぞら珈琲\ninfo@example.jp"
    assert "https://stamps.example.jp" in text_of(face(), "service")


def test_what_is_not_there_takes_no_row():
    bare = face(shops=(), guide=" ", rewards=(), last_stamp_at=None)
    keys = {field["key"] for field in draw(bare).info["storeCard"]["backFields"]}
    assert keys.isdisjoint({"guide", "rewards", "last", "shops", "vouchers"})


def test_the_barcode_carries_the_cards_url():
    (code,) = draw().info["barcodes"]
    assert code == {
        "format": "PKBarcodeFormatQR",
        "message": CARD_URL,
        "messageEncoding": "iso-8859-1",
        "altText": "1234-5678",
    }


def test_at_most_ten_shops_with_a_place_call_the_pass_up():
    nowhere = replace(SHOP, name="移動販売", latitude=None, longitude=None)
    many = tuple(replace(SHOP, name=f"{n}号店") for n in range(12))
    found = opened(face(shops=(nowhere, *many)))
    places = found.info["locations"]
    assert len(places) == 10
    assert places[0]["latitude"] == 35.68
    assert (
        found.say(places[0]["relevantText"], "ja") == "0号店の近くです。スタンプ 7/10"
    )
    assert "0号店 is nearby" in found.say(places[0]["relevantText"], "en")


def test_colours_stay_readable_whatever_the_merchant_chose():
    look = Look(background="#FFFFFF", foreground="#FFFFEE")
    info = draw(face(look=look)).info
    assert info["backgroundColor"] == "rgb(255, 255, 255)"
    red = int(info["foregroundColor"][4:].split(",")[0])
    assert red < 130
    assert info["labelColor"] == info["foregroundColor"]


def test_a_merchants_word_that_is_also_ours_is_not_translated():
    tricky = Reward(at=10, name="特典")
    found = face(
        program_name="特典",
        merchant_name="スタンプ",
        guide="店舗",
        next_reward=tricky,
        rewards=(tricky,),
    )
    assert text_of(found, "program", "en").strip("\u200b") == "特典"
    assert text_of(found, "guide", "en").strip("\u200b") == "店舗"
    assert text_of(found, "rewards", "en", "label") == "Rewards"
    assert text_of(found, "stamps", "en", "label").strip("\u200b") == "Stamps"
    name = opened(found).info["organizationName"]
    assert opened(found).say(name, "en") == "スタンプ"


def test_a_shop_without_english_speaks_japanese_to_all_phones():
    only = face(languages=("ja",))
    assert text_of(only, "next", "en") == "あと3個で「コーヒー1杯」"
    english = face(languages=("en",))
    assert text_of(english, "next", "ja") == "3 more stamps for “コーヒー1杯”"
    assert (
        draw(english).info["storeCard"]["secondaryFields"][0]["value"].startswith("3")
    )


def test_both_languages_are_always_there_or_a_phone_picks_by_chance():
    for languages in (("ja",), ("ja", "en"), ()):
        assert set(draw(face(languages=languages)).strings) == {"ja", "en"}


def test_markup_and_quotes_in_names_stay_text():
    nasty = '"; drop <a href="x">%@ \\ {n}'
    found = face(
        merchant_name=nasty, next_reward=Reward(at=10, name=nasty), guide=nasty
    )
    assert text_of(found, "guide") == nasty
    assert nasty in text_of(found, "next")
    assert nasty in text_of(found, "next", "en")


def test_the_same_card_gives_the_same_pass():
    # What changes by itself (a time of update) would defeat 304 and ring phones.
    assert draw() == draw()


ODD = [
    'say "hi"',
    'end"',
    "back\\slash",
    "\\",
    "\\n is no new line",
    "two\nlines",
    "a\r\nb",
    "tab\there",
    "☕️ 👩‍🍳 🏳️‍🌈",
    "𠮷野家 髙島屋 直骨",
    "مقهى «السماء» – بيت",
    "\u202eright to left",
    "nul\0 esc\x1b bell\x07 del\x7f",
    "100% %@ %1$@",
    "<b>&amp;</b> /* no comment */ ; =",
]


@pytest.mark.parametrize("text", ODD)
def test_any_text_of_a_merchant_is_read_back_by_a_parser_of_another_hand(text):
    clean = seen(text)
    reward = Reward(at=10, name=text)
    a_face = face(rewards=(reward,), next_reward=reward, guide=text, stop_reason=text)
    content = draw(replace(a_face, merchant_name=text))
    files = unzip(build_pkpass(content.info, PICTURES, content.strings, signer()))
    info = json.loads(files["pass.json"])
    tables = {
        language: read_strings(files[f"{language}.lproj/pass.strings"])
        for language in ("ja", "en")
    }
    [guide] = [f for f in info["storeCard"]["backFields"] if f["key"] == "guide"]
    assert guide["value"] == clean.strip()
    [ahead] = info["storeCard"]["secondaryFields"]
    for language, table in tables.items():
        said = say("card.next", language, n=3, reward=text)
        assert table[ahead["value"]] == seen(said)
    # Whatever is translated stands somewhere in pass.json, letter for letter.
    assert set(tables["ja"]) <= set(texts_of(info))


def seen(text):
    """The text without its control characters, which nobody sees."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")


def texts_of(value):
    """Every text in a pass.json."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts_of(inner)


def test_from_ios_27_on_a_button_leads_to_the_holders_page():
    page = "https://stamps.example.jp/w/holder"
    action = {"identifier": "page", "type": "viewOffersRewards", "url": page}
    assert draw(page_url=page).info["featuredActions"] == [action]
    assert "featuredActions" not in draw().info  # the preview's has no page


@pytest.mark.parametrize("state", ["stopped", "expired"])
def test_a_pass_that_is_over_offers_nothing_more(state):
    over = draw(face(state=state), page_url="https://stamps.example.jp/w/holder")
    assert "featuredActions" not in over.info
    assert over.info["voided"] is True


# The list of https://github.com/tomasmcguinness/pkpassvalidator as far as it fits.
def test_the_pass_passes_the_validators_list():
    found = opened(face(vouchers=(voucher(),), expires_at=MARCH))
    info, files = found.info, found.files
    certificate = signer().certificate
    own = certificate.extensions.get_extension_for_oid(
        x509.ObjectIdentifier("1.2.840.113635.100.6.1.16")
    )
    assert own.value.value.decode().endswith(info["passTypeIdentifier"])
    names = {part.rfc4514_attribute_name: part.value for part in certificate.subject}
    assert names["OU"] == info["teamIdentifier"]
    assert names["CN"].endswith(info["passTypeIdentifier"])
    assert {"pass.json", "manifest.json", "signature"} <= set(files)
    assert {"icon.png", "icon@2x.png", "icon@3x.png"} <= set(files)
    assert info["formatVersion"] == 1
    assert all(info[k] for k in ("organizationName", "description"))
    assert len(info["serialNumber"]) >= 16
    assert len(info["authenticationToken"]) >= 16
    assert info["webServiceURL"] == "https://stamps.example.jp/apple"
    assert "/v1" not in info["webServiceURL"]
    assert "barcode" not in info
    assert "appLaunchURL" not in info
    assert info["sharingProhibited"] is True
    assert None not in info.values()
    json.dumps(info, allow_nan=False)


def test_a_long_card_still_fits_the_rules():
    most = face(
        50,
        goal=50,
        rewards=tuple(Reward(at=n, name="賞" * 60) for n in range(1, 51)),
        next_reward=None,
        to_next=0,
        vouchers=tuple(voucher(str(n), "賞" * 60, MARCH) for n in range(30)),
        guide="説" * 1000,
        expires_at=MARCH,
    )
    assert opened(most).fields("header", "ja")[0]["value"] == "50/50"
