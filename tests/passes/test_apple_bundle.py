"""The .pkpass file: complete, signed, readable by others than us."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile

import pytest

from jobs.demo.pass_file import open_pass
from passes.apple.bundle import build_pkpass, pass_strings
from tests.passes.apple_chain import PASS_TYPE, TEAM, is_signed, signer

PNG = b"\x89PNG\r\n\x1a\n"


def sized_png(width: int, height: int) -> bytes:
    """As much of a PNG as tells its size."""
    return PNG + b"\0\0\0\rIHDR" + struct.pack(">II", width, height)


POSTER_PICTURES = {
    "artwork.png": sized_png(358, 448),
    "artwork@2x.png": sized_png(716, 896),
    "artwork@3x.png": sized_png(1074, 1344),
    "primaryLogo@3x.png": sized_png(378, 90),
}
PICTURES = {
    **POSTER_PICTURES,
    "icon.png": PNG + b"1",
    "icon@2x.png": PNG + b"2",
    "icon@3x.png": PNG + b"3",
    "strip@2x.png": PNG + b"4" * 5000,
}
STRINGS = {"ja": {"スタンプ": "スタンプ"}, "en": {"スタンプ": "Stamps"}}


def make_info(**changes):
    info = {
        "formatVersion": 1,
        "passTypeIdentifier": PASS_TYPE,
        "teamIdentifier": TEAM,
        "serialNumber": "01KBSERIALSERIALSERIAL0000",
        "organizationName": "あおぞら珈琲",
        "description": "コーヒーカード",
        "backgroundColor": "rgb(90, 58, 34)",
        "webServiceURL": "https://stamps.example.jp/apple",
        "authenticationToken": "a-token-of-sixteen-letters",
        "barcodes": [
            {
                "format": "PKBarcodeFormatQR",
                "message": "https://stamps.example.jp/c/abc",
                "messageEncoding": "iso-8859-1",
            }
        ],
        "storeCard": {
            "headerFields": [{"key": "stamps", "label": "スタンプ", "value": "3/10"}]
        },
    }
    return {k: v for k, v in (info | changes).items() if v is not None}


def build(info=None, pictures=None, strings=None) -> bytes:
    return build_pkpass(
        make_info() if info is None else info,
        PICTURES if pictures is None else pictures,
        STRINGS if strings is None else strings,
        signer(),
    )


def unzip(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_file_has_what_was_given_and_nothing_else():
    files = unzip(build())
    assert set(files) == {
        *PICTURES,
        *("pass.json", "manifest.json", "signature"),
        *("ja.lproj/pass.strings", "en.lproj/pass.strings"),
    }
    assert json.loads(files["pass.json"]) == make_info()
    assert {n: files[n] for n in PICTURES} == PICTURES


def test_the_manifest_has_the_sha1_of_every_other_file():
    files = unzip(build())
    manifest = json.loads(files["manifest.json"])
    assert manifest == {
        name: hashlib.sha1(content).hexdigest()
        for name, content in files.items()
        if name not in {"manifest.json", "signature"}
    }


@pytest.mark.parametrize("tool", ["smime", "cms"])
def test_openssl_accepts_the_finished_pass(tmp_path, tool):
    files = unzip(build())
    assert is_signed(tmp_path, files["manifest.json"], files["signature"], tool)


def test_files_are_stored_without_compression_or_dates():
    with zipfile.ZipFile(io.BytesIO(build())) as archive:
        for entry in archive.infolist():
            assert entry.compress_type == zipfile.ZIP_STORED
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert not entry.extra


def test_the_same_pass_is_the_same_but_for_its_signature():
    one, two = unzip(build()), unzip(build())
    del one["signature"], two["signature"]
    assert one == two


def test_one_pass_leaves_nothing_behind_for_the_next():
    build()
    few = {n: PICTURES[n] for n in ("icon.png", "icon@2x.png")}
    manifest = json.loads(unzip(build(pictures=few, strings={}))["manifest.json"])
    assert set(manifest) == {*few, "pass.json"}


@pytest.mark.parametrize(
    "text",
    [
        'say "hi"',
        "back\\slash",
        "two\nlines",
        "a\r\nb",
        "tab\there",
        'end"',
        "\\",
        "☕️",
    ],
)
def test_any_text_survives_the_translations(text):
    strings = {"ja": {"key": text, text: "x"}, "en": {"key": "second", text: "y"}}
    found = open_pass(build(strings=strings))
    assert found.strings["ja"]["key"] == text.replace("\r", "")
    assert found.strings["en"][text.replace("\r", "")] == "y"


def test_translations_are_utf16_with_a_byte_order_mark():
    content = pass_strings({"スタンプ": 'A "stamp"'})
    assert content[:2] == b"\xff\xfe"
    assert content.decode("utf-16") == '"スタンプ" = "A \\"stamp\\"";\n'


def wrong_card(*fields, group="backFields"):
    return make_info(storeCard={group: list(fields)})


def wrong_poster(n=1, *, group="headerFields", **field):
    fields = [{"key": str(number), "value": ""} | field for number in range(n)]
    return make_info(posterGeneric={group: fields})


def wrong_actions(*changes):
    good = {"identifier": "1", "type": "shop", "url": "https://example.jp/"}
    return make_info(featuredActions=[good, *(good | change for change in changes)])


BAD = {
    "formatVersion": make_info(formatVersion=2),
    "teamIdentifier": make_info(teamIdentifier=None),
    "organizationName": make_info(organizationName=""),
    "storeCard is": make_info(storeCard=None),
    "serialNumber": make_info(serialNumber="short"),
    "backgroundColor": make_info(backgroundColor="#5A3A22"),
    "need each other": make_info(authenticationToken=None),
    "authenticationToken": make_info(authenticationToken="short"),
    "webServiceURL": make_info(webServiceURL="stamps.example.jp"),
    "key": wrong_card({"key": "a", "value": "1"}, {"key": "a", "value": "2"}),
    "value": wrong_card({"key": "a"}),
    "lacks %@": wrong_card({"key": "a", "value": "1", "changeMessage": ""}),
    "more than one field": wrong_card(
        {"key": "a", "value": "1", "changeMessage": "%@"},
        {"key": "b", "value": "1", "changeMessage": "%@"},
    ),
    "header": wrong_card(
        *({"key": str(n), "value": ""} for n in range(4)), group="headerFields"
    ),
    "auxiliary": wrong_card(
        *({"key": str(n), "value": ""} for n in range(5)), group="auxiliaryFields"
    ),
    "too many headerFields on the poster": wrong_poster(2),
    "too many primaryFields on the poster": wrong_poster(5, group="primaryFields"),
    "too many footerFields on the poster": wrong_poster(3, group="footerFields"),
    "a poster has no secondaryFields": wrong_poster(group="secondaryFields"),
    r"there twice \(poster\)": wrong_poster(2, key="a", group="primaryFields"),
    r"lacks %@ \(poster\)": wrong_poster(changeMessage="!"),
    r"more than one field has a changeMessage \(poster\)": wrong_poster(
        2, group="backFields", changeMessage="%@"
    ),
    # A phone that draws the one would ring where the other one does not.
    "tell of different changes": wrong_poster(changeMessage="%@"),
    "ASCII": make_info(
        barcodes=[{"message": "https://珈琲.jp", "messageEncoding": "iso-8859-1"}]
    ),
    "messageEncoding": make_info(barcodes=[{"message": "a"}]),
    "locations": make_info(locations=[{}] * 11),
    "more than two featured": wrong_actions({"identifier": "2"}, {"identifier": "3"}),
    "type is unknown": wrong_actions({"identifier": "2", "type": "viewRewards"}),
    "identifier is missing": wrong_actions({}),
    "url is no address": wrong_actions({"identifier": "2", "url": "/w/card"}),
    "time zone": make_info(expirationDate="2027-03-31T00:00:00"),
}


@pytest.mark.parametrize("problem", BAD)
def test_what_a_phone_would_refuse_is_never_signed(problem):
    with pytest.raises(ValueError, match=problem):
        build(BAD[problem])


@pytest.mark.parametrize(
    ("pictures", "problem"),
    [
        ({}, "icon.png is missing"),
        (PICTURES | {"../../evil.png": PNG}, "no picture's name"),
        (PICTURES | {"strip.png": b"GIF89a"}, "no PNG"),
    ],
)
def test_pictures_are_checked_too(pictures, problem):
    with pytest.raises(ValueError, match=problem):
        build(pictures=pictures)


POSTER = {"posterGeneric": {"headerFields": [{"key": "stamps", "value": "3/10"}]}}


@pytest.mark.parametrize("name", ["artwork@2x.png", "artwork@3x.png"])
def test_a_poster_is_not_signed_without_its_picture(name):
    less = {n: content for n, content in PICTURES.items() if n != name}
    with pytest.raises(ValueError, match=f"{name} is missing"):
        build(make_info(**POSTER), less)
    assert build(make_info(**POSTER))
    assert build(pictures=less)  # older phones never asked for it


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("artwork@3x.png", sized_png(1074, 1343)),
        ("artwork@2x.png", sized_png(1074, 1344)),
        ("artwork.png", PNG),
        ("primaryLogo@3x.png", sized_png(379, 90)),
        ("primaryLogo@2x.png", sized_png(59, 60)),
        ("primaryLogo.png", sized_png(30, 31)),
    ],
)
def test_a_posters_pictures_have_the_sizes_of_apples_table(name, picture):
    with pytest.raises(ValueError, match=f"{name}' has the wrong size"):
        build(make_info(**POSTER), PICTURES | {name: picture})


def test_a_poster_alone_is_no_pass_for_older_phones():
    with pytest.raises(ValueError, match="storeCard is missing"):
        build(make_info(storeCard=None, **POSTER))


def test_all_problems_are_told_at_once():
    with pytest.raises(ValueError, match=r"teamIdentifier.*serialNumber"):
        build(make_info(teamIdentifier=None, serialNumber="short"))
