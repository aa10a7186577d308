"""What others find in a .pkpass: its files, its seal, and what a validator asks.

Nothing of ours reads or checks here: zipfile, hashlib, Pillow, cryptography and the
openssl program do. The list is that of tomasmcguinness/pkpassvalidator, and Apple's
https://developer.apple.com/documentation/walletpasses/pass where that one is silent.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7
from PIL import Image

from tests.passes.strings_file import read_strings

Json = dict[str, Any]

REQUIRED = (
    "description",
    "formatVersion",
    "organizationName",
    "passTypeIdentifier",
    "serialNumber",
    "teamIdentifier",
)
STYLES = {"boardingPass", "coupon", "eventTicket", "generic", "storeCard"}
PASS_TYPE_OID = x509.ObjectIdentifier("1.2.840.113635.100.6.1.16")
# Points: width from, to, and height.
SIZES = {
    "icon": (38, 38, 38),
    "logo": (50, 160, 50),
    "strip": (375, 375, 144),
    "artwork": (358, 358, 448),
    "primaryLogo": (30, 126, 30),
}
FORMATS = {
    f"PKBarcodeFormat{name}"
    for name in ("QR", "PDF417", "Aztec", "Code128", "EAN13", "Code39", "Codabar")
} | {"PKBarcodeFormatI2of5"}
ALIGNMENTS = {f"PKTextAlignment{way}" for way in ("Left", "Center", "Right", "Natural")}
# As in passkit-generator 3.6.1; phones of iOS 27 write the words themselves.
ACTIONS = {
    *("viewSchedule", "watchTrailer", "listenToMusic", "call", "place", "addToBalance"),
    *("order", "shop", "membershipBenefits", "bookAppointment", "bookCar"),
    *("bookFlight", "bookStay", "viewOffersRewards"),
}
_PICTURE = re.compile(r"(?:[a-z]{2}\.lproj/)?([A-Za-z]+)(?:@([23])x)?\.png")
_LOOPBACK = {"localhost", "127.0.0.1"}
_SHORTEST = 16
_TWO = 2


def unzip(content: bytes) -> dict[str, bytes]:
    """Every file by its path; AssertionError for a damaged archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(set(names)) == len(names), "a file is there twice"
        return {name: archive.read(name) for name in names}


def wrongs_of_seal(content: bytes, roots: Path, folder: Path) -> list[str]:
    """What is wrong with the manifest and its signature, by openssl's word.

    `roots` has the authorities (PEM); `folder` is for files in between.
    """
    files = unzip(content)
    listed = json.loads(files["manifest.json"])
    own = {n: c for n, c in files.items() if n not in {"manifest.json", "signature"}}
    found = [] if set(listed) == set(own) else ["manifest and files differ"]
    found += [
        f"{name} is not as in the manifest"
        for name, digest in listed.items()
        if name in own and hashlib.sha1(own[name]).hexdigest() != digest
    ]
    return found + _openssl(files["manifest.json"], files["signature"], roots, folder)


def _openssl(manifest: bytes, signature: bytes, roots: Path, folder: Path) -> list[str]:
    program = shutil.which("openssl")
    assert program is not None, "openssl is not installed"
    (folder / "manifest.json").write_bytes(manifest)
    (folder / "signature").write_bytes(signature)
    asked = [
        subprocess.Popen(
            [
                *(program, tool, "-verify", "-inform", "DER", "-binary"),
                *("-in", folder / "signature", "-content", folder / "manifest.json"),
                *("-CAfile", roots, "-purpose", "any"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for tool in ("smime", "cms")
    ]
    said = [process.communicate()[1].decode() for process in asked]
    return [
        f"openssl {tool}: {words}"
        for tool, process, words in zip(("smime", "cms"), asked, said, strict=True)
        if process.returncode
    ]


def wrongs_of_pass(content: bytes) -> list[str]:
    """What a validator says of a whole pass, its seal apart."""
    files = unzip(content)
    info: Json = json.loads(files["pass.json"])
    return [
        *_files(files),
        *_keys(info),
        *_web_service(info),
        *_certificate(info, files["signature"]),
        *_fields(info),
        *_looks(info),
        *_times_and_places(info),
        *_actions(info),
        *_strings(files),
    ]


def _files(files: dict[str, bytes]) -> Iterator[str]:
    for name in ("pass.json", "manifest.json", "signature"):
        if name not in files:
            yield f"{name} is missing"
    for name in ("icon.png", "icon@2x.png", "icon@3x.png"):
        if name not in files:
            yield f"{name} is missing"
    for name, content in files.items():
        if not name.isascii() or ".DS_Store" in name or name.endswith("/"):
            yield f"{name!r} does not belong here"
        if name.endswith(".png"):
            yield from _picture(name, content)


def _picture(name: str, content: bytes) -> Iterator[str]:
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        kind, size = image.format, image.size
    named = _PICTURE.fullmatch(name)
    if kind != "PNG" or named is None or named[1] not in SIZES:
        yield f"{name} is no picture of a pass"
        return
    scale = int(named[2] or 1)
    least, most, high = (points * scale for points in SIZES[named[1]])
    if not least <= size[0] <= most or size[1] != high:
        yield f"{name} has {size[0]}x{size[1]} pixels"


def _keys(info: Json) -> Iterator[str]:
    yield from (f"{key} is missing" for key in REQUIRED if not info.get(key))
    if info.get("formatVersion") != 1:
        yield "formatVersion is not 1"
    if len(STYLES & set(info)) != 1:
        yield "not one style for all phones"
    if len(info["serialNumber"]) < _SHORTEST:
        yield "serialNumber is too short"
    if not re.fullmatch(r"[0-9A-Za-z._~-]+", info["serialNumber"]):
        yield "serialNumber does not fit into a path"
    if "appLaunchURL" in info and "associatedStoreIdentifiers" not in info:
        yield "appLaunchURL without associatedStoreIdentifiers"
    if "barcode" in info:
        yield "barcode is no longer used"
    if _has_none(info):
        yield "there is a null"


def _web_service(info: Json) -> Iterator[str]:
    if ("webServiceURL" in info) != ("authenticationToken" in info):
        yield "webServiceURL and authenticationToken need each other"
    if "webServiceURL" not in info:
        return
    if len(info["authenticationToken"]) < _SHORTEST:
        yield "authenticationToken is too short"
    url = urlsplit(info["webServiceURL"])
    if url.scheme != "https" and url.hostname not in _LOOPBACK:
        yield "webServiceURL is not https"
    if "/v1" in url.path or url.query or url.path.endswith("/"):
        yield "phones append /v1 to webServiceURL"


def _certificate(info: Json, signature: bytes) -> Iterator[str]:
    certificates = pkcs7.load_der_pkcs7_certificates(signature)
    leaves = [c for c in certificates if _pass_type(c)]
    if len(leaves) != 1 or len(certificates) != _TWO:
        yield "the signature has not one pass certificate and its intermediate"
        return
    leaf = leaves[0]
    [above] = [c for c in certificates if c is not leaf]
    names = {part.rfc4514_attribute_name: part.value for part in leaf.subject}
    if _pass_type(leaf) != info["passTypeIdentifier"]:
        yield "the certificate is for another pass type"
    if names.get("CN") != f"Pass Type ID: {info['passTypeIdentifier']}":
        yield "the certificate's name is of another pass type"
    if names.get("OU") != info["teamIdentifier"]:
        yield "the certificate is of another team"
    leaf.verify_directly_issued_by(above)
    if ("OU", "G4") not in {(p.rfc4514_attribute_name, p.value) for p in above.subject}:
        yield "the intermediate is not WWDR G4"
    # 1.2.840.113549.1.9.5 in DER: Wallet asks for the time of signing.
    if bytes.fromhex("06092a864886f70d010905") not in signature:
        yield "the signature has no signingTime"


def _pass_type(certificate: x509.Certificate) -> str:
    try:
        own = certificate.extensions.get_extension_for_oid(PASS_TYPE_OID).value
    except x509.ExtensionNotFound:
        return ""
    assert isinstance(own, x509.UnrecognizedExtension)
    return own.value[2:].decode()  # after tag and length


def _fields(info: Json) -> Iterator[str]:
    for style in [name for name in (*STYLES, "posterGeneric") if name in info]:
        groups: dict[str, list[Json]] = info[style]
        every = [field for fields in groups.values() for field in fields]
        keys = [field["key"] for field in every]
        if len(set(keys)) != len(keys):
            yield f"{style}: a key is there twice"
        for field in every:
            yield from (f"{style}.{field['key']}: {w}" for w in _field(field))
        for group in ("primaryFields", "backFields"):
            if any("textAlignment" in field for field in groups.get(group, [])):
                yield f"{style}: {group} cannot be aligned"
        if sum("changeMessage" in field for field in every) > 1:
            yield f"{style}: two fields tell of a change"
    card = info.get("storeCard", {})
    row = [*card.get("secondaryFields", []), *card.get("auxiliaryFields", [])]
    if len(card.get("headerFields", [])) > 3 or len(row) > 4:
        yield "storeCard: more fields than there is room for"


def _field(field: Json) -> Iterator[str]:
    if not isinstance(field.get("value"), str | int | float):
        yield "no value"
    if "%@" not in field.get("changeMessage", "%@"):
        yield "changeMessage without %@"
    if field.get("textAlignment", "PKTextAlignmentNatural") not in ALIGNMENTS:
        yield "no such textAlignment"
    is_number = isinstance(field.get("value"), int | float)
    if ("numberStyle" in field or "currencyCode" in field) and not is_number:
        yield "a text cannot have the style of a number"
    if "" in (field.get("label"), field.get("changeMessage")):
        yield "an empty text"


def _looks(info: Json) -> Iterator[str]:
    for name in ("backgroundColor", "foregroundColor", "labelColor"):
        numbers = re.fullmatch(r"rgb\((\d+), ?(\d+), ?(\d+)\)", info.get(name, ""))
        if numbers is None or not all(int(n) <= 255 for n in numbers.groups()):
            yield f"{name} is no colour"
    for barcode in info.get("barcodes", []):
        if barcode["format"] not in FORMATS or not barcode["message"].isascii():
            yield "a barcode that cannot be shown"
        if barcode["messageEncoding"] != "iso-8859-1":
            yield "a barcode in another encoding"


def _times_and_places(info: Json) -> Iterator[str]:
    places = info.get("locations", [])
    if len(places) > 10:
        yield "more than ten locations"
    for place in places:
        if abs(place["latitude"]) > 90 or abs(place["longitude"]) > 180:
            yield "a location outside the world"
    end = info.get("expirationDate", "2026-11-23T15:00:00+09:00")
    if datetime.fromisoformat(end).tzinfo is None:
        yield "expirationDate has no time zone"
    if info.get("voided", True) is not True:
        yield "voided is not true"


def _actions(info: Json) -> Iterator[str]:
    actions = info.get("featuredActions", [])
    if len(actions) > 2:
        yield "more than two featured actions"
    for action in actions:
        if action["type"] not in ACTIONS or not action["identifier"]:
            yield "a featured action that no phone knows"
        if not urlsplit(action["url"]).netloc:
            yield "a featured action that leads nowhere"


def _strings(files: dict[str, bytes]) -> Iterator[str]:
    tables = {
        name.partition(".lproj/")[0]: read_strings(content)
        for name, content in files.items()
        if name.endswith("/pass.strings")
    }
    if tables and set(tables) != {"ja", "en"}:
        yield f"a phone would pick one of {sorted(tables)} by chance"
    if len({frozenset(table) for table in tables.values()}) > 1:
        yield "one language translates what the other does not"


def _has_none(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_none(v) for v in value.values())
    if isinstance(value, list):
        return any(_has_none(v) for v in value)
    return value is None
