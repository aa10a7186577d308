"""Who watches over the passes of the suite sees what is wrong with one."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from core.rules.types import Spend
from passes.apple.bundle import build_pkpass
from tests.passes.apple_chain import chain, load, signer
from tests.passes.every_pass import caught
from tests.passes.pkpass_check import unzip, wrongs_of_pass, wrongs_of_seal
from tests.passes.strings_file import BadStrings, read_strings
from tests.passes.test_apple_pass_json import MARCH, draw, face, voucher
from tests.passes.test_apple_poster import pictures_of


@pytest.fixture
async def whole() -> bytes:
    """A pass with all that a card can say."""
    a_face = face(vouchers=(voucher(),), expires_at=MARCH, spend=Spend(per=500))
    content = draw(a_face)
    pictures = await pictures_of(a_face)
    return build_pkpass(content.info, pictures, content.strings, signer())


def again(whole: bytes, **changes: bytes | None) -> bytes:
    """The same archive with other files; None leaves one out."""
    files = {**unzip(whole), **changes}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            if content is not None:
                archive.writestr(name, content)
    return stream.getvalue()


def with_info(whole: bytes, **changes: object) -> bytes:
    """The same pass with other keys in pass.json; None leaves one out."""
    info = json.loads(unzip(whole)["pass.json"])
    changed = {k: v for k, v in (info | changes).items() if v is not None}
    return again(whole, **{"pass.json": json.dumps(changed).encode()})


def test_nothing_is_wrong_with_a_whole_pass(whole, tmp_path):
    assert wrongs_of_seal(whole, chain().root_pem, tmp_path) == []
    assert wrongs_of_pass(whole) == []


def test_each_pass_is_caught_where_it_is_built(whole):
    assert whole in caught.built.values()
    before = caught.n_verified
    assert caught.verify() == []
    assert caught.n_verified == before + 1
    assert caught.built == {}


def test_a_foreign_pass_that_is_caught_is_found(whole):
    caught.note(again(whole, **{"icon.png": b"another"}), is_whole=False)
    assert caught.verify() == ["icon.png is not as in the manifest"]


@pytest.mark.parametrize(
    ("name", "content", "wrong"),
    [
        ("icon.png", b"another", "icon.png is not as in the manifest"),
        ("logo.png", None, "manifest and files differ"),
        ("extra.txt", b"", "manifest and files differ"),
        ("manifest.json", b"{}", "manifest and files differ"),
    ],
)
def test_a_file_that_was_changed_is_found(whole, tmp_path, name, content, wrong):
    changed = again(whole, **{name: content})
    assert wrong in wrongs_of_seal(changed, chain().root_pem, tmp_path)


def test_openssl_says_no_by_both_of_its_tools(whole, tmp_path):
    manifest = unzip(whole)["manifest.json"]
    other = again(whole, **{"manifest.json": manifest + b"\n"})
    for content, roots in (
        (other, chain().root_pem),
        (whole, chain("renewed").root_pem),
        (again(whole, signature=load(chain("other")).sign(manifest)), chain().root_pem),
    ):
        found = wrongs_of_seal(content, Path(roots), tmp_path)
        assert [text.split(":")[0] for text in found] == [
            "openssl smime",
            "openssl cms",
        ]


ROW = [{"key": f"f{n}", "label": "x", "value": "1"} for n in range(5)]
QR = {"format": "PKBarcodeFormatQR", "message": "a", "messageEncoding": "iso-8859-1"}
ACTION = {"identifier": "a", "type": "viewOffersRewards", "url": "https://example.jp"}


def one(**field: object) -> dict[str, object]:
    return {"headerFields": [{"key": "a", "label": "x", "value": "1"} | field]}


# The list of https://github.com/tomasmcguinness/pkpassvalidator, then Apple's own.
WRONG_INFO = {
    "description is missing": {"description": None},
    "formatVersion is not 1": {"formatVersion": 2},
    "organizationName is missing": {"organizationName": ""},
    "teamIdentifier is missing": {"teamIdentifier": ""},
    "serialNumber is too short": {"serialNumber": "short"},
    "does not fit into a path": {"serialNumber": "a/b?c&0123456789"},
    "authenticationToken is too short": {"authenticationToken": "short"},
    "need each other": {"webServiceURL": None},
    "is not https": {"webServiceURL": "http://stamps.example.jp/apple"},
    "append /v1": {"webServiceURL": "https://stamps.example.jp/apple/v1"},
    "appLaunchURL without": {"appLaunchURL": "https://example.jp"},
    "another pass type": {"passTypeIdentifier": "pass.jp.example.other"},
    "another team": {"teamIdentifier": "ZZZZZ99999"},
    "not one style": {"generic": {}},
    "barcode is no longer": {"barcode": QR},
    "there is a null": {"userInfo": {"deep": [{"x": None}]}},
    "a key is there twice": {"storeCard": {"headerFields": [ROW[0], ROW[0]]}},
    "cannot be aligned": {
        "storeCard": {
            "backFields": [{**ROW[0], "textAlignment": "PKTextAlignmentLeft"}]
        }
    },
    "two fields tell": {
        "storeCard": {"backFields": [f | {"changeMessage": "%@"} for f in ROW[:2]]}
    },
    "more fields than": {"storeCard": {"auxiliaryFields": ROW}},
    "no value": {"storeCard": one(value=None)},
    "changeMessage without": {"storeCard": one(changeMessage="!")},
    "no such textAlignment": {"storeCard": one(textAlignment="PKTextAlignmentJust")},
    "style of a number": {"storeCard": one(numberStyle="PKNumberStyleDecimal")},
    "an empty text": {"storeCard": one(label="")},
    "backgroundColor is no colour": {"backgroundColor": "rgb(300, 0, 0)"},
    "cannot be shown": {"barcodes": [QR | {"message": "珈琲"}]},
    "in another encoding": {"barcodes": [QR | {"messageEncoding": "utf-8"}]},
    "more than ten locations": {"locations": [{"latitude": 1, "longitude": 1}] * 11},
    "outside the world": {"locations": [{"latitude": 91, "longitude": 1}]},
    "has no time zone": {"expirationDate": "2027-03-31T00:00:00"},
    "voided is not true": {"voided": False},
    "more than two featured": {"featuredActions": [ACTION] * 3},
    "no phone knows": {"featuredActions": [ACTION | {"type": "viewRewards"}]},
    "leads nowhere": {"featuredActions": [ACTION | {"url": "example.jp"}]},
}


@pytest.mark.parametrize("wrong", WRONG_INFO)
def test_each_rule_of_the_validators_can_be_broken(whole, wrong):
    found = wrongs_of_pass(with_info(whole, **WRONG_INFO[wrong]))
    assert any(wrong in text for text in found), found


@pytest.mark.parametrize(
    ("files", "wrong"),
    [
        ({"icon.png": None}, "icon.png is missing"),
        ({"icon@2x.png": None}, "icon@2x.png is missing"),
        ({"icon@3x.png": None}, "icon@3x.png is missing"),
        ({".DS_Store": b""}, "does not belong here"),
        ({"店.txt": b""}, "does not belong here"),
        ({"en.lproj/pass.strings": None}, "by chance"),
        ({"en.lproj/pass.strings": b'"a" = "b";'}, "the other does not"),
    ],
)
def test_a_missing_or_foreign_file_is_found(whole, files, wrong):
    found = wrongs_of_pass(again(whole, **files))
    assert any(wrong in text for text in found), found


def test_a_picture_of_another_size_is_found(whole):
    files = unzip(whole)
    found = wrongs_of_pass(again(whole, **{"strip@3x.png": files["strip@2x.png"]}))
    assert found == ["strip@3x.png has 750x288 pixels"]
    found = wrongs_of_pass(again(whole, **{"thumb.png": files["icon.png"]}))
    assert found == ["thumb.png is no picture of a pass"]


def test_the_certificates_in_the_signature_are_looked_at(whole):
    other = load(chain("other", "pass.jp.other"), pass_type_id="pass.jp.other")
    signature = other.sign(unzip(whole)["manifest.json"])
    found = wrongs_of_pass(again(whole, signature=signature))
    assert "the certificate is for another pass type" in found


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ('"a" = "b";', {"a": "b"}),
        ('/* c */ "a"="\\"\\\\\\n\\t\\U3042";', {"a": '"\\\n\tあ'}),
        ('"a" = "\\UD83C\\UDF75";', {"a": "🍵"}),
        ("", {}),
    ],
)
def test_a_strings_file_is_read_by_its_grammar(text, pairs):
    assert read_strings(b"\xff\xfe" + text.encode("utf-16-le")) == pairs
    assert read_strings(text.encode()) == pairs


@pytest.mark.parametrize(
    "text",
    [
        '"a" = "say "hi"";',
        '"a" = "b"',
        '"a" "b";',
        '"a" = "\\q";',
        '"a" = "b',
        '"a" = "1"; "a" = "2";',
        "a = b;",
    ],
)
def test_a_broken_strings_file_is_an_error(text):
    with pytest.raises(BadStrings):
        read_strings(text.encode())
