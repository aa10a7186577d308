"""Callbacks: Google's own recorded ones are believed, everything near them is not."""

from __future__ import annotations

import base64
import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jobs.demo.google_callbacks import CallbackSigner
from passes.google.callback import (
    BadCallback,
    PassEvent,
    RootKey,
    read_callback,
    read_root_keys,
)
from passes.google.heard import HeardEvents
from tests.conftest import START
from tests.passes.google_cards import ISSUER

# Three genuine callbacks of two issuers that have nothing to do with us (2023 to 2025).
_FILE = Path(__file__).parent.parent / "data/google_callback_vectors.json"
VECTORS: list[dict[str, Any]] = json.loads(_FILE.read_text(encoding="utf-8"))
KINDS = ["del", "save", "save"]


def _message(vector: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(vector["body"]["signedMessage"]))


def _issuer(vector: dict[str, Any]) -> str:
    return str(_message(vector)["classId"]).partition(".")[0]


def _just_before_its_end(vector: dict[str, Any]) -> datetime:
    millis = _message(vector)["expTimeMillis"]
    return datetime.fromtimestamp(millis / 1000, UTC) - timedelta(seconds=1)


def _roots(vector: dict[str, Any], **changes: Any) -> list[RootKey]:
    key = {"keyValue": vector["root"], "protocolVersion": "ECv2SigningOnly"}
    return read_root_keys({"keys": [key | changes]})


def _read(
    vector: dict[str, Any],
    *,
    body: Any = None,
    issuer_id: str | None = None,
    now: datetime | None = None,
    roots: list[RootKey] | None = None,
) -> PassEvent | BadCallback:
    raw = body if isinstance(body, bytes) else json.dumps(body or vector["body"])
    return read_callback(
        raw if isinstance(raw, bytes) else raw.encode(),
        issuer_id=issuer_id or _issuer(vector),
        roots=_roots(vector) if roots is None else roots,
        now=now or _just_before_its_end(vector),
    )


@pytest.mark.parametrize(("vector", "kind"), list(zip(VECTORS, KINDS, strict=True)))
def test_googles_own_callbacks_are_believed(vector: dict[str, Any], kind: str) -> None:
    event = _read(vector)

    assert isinstance(event, PassEvent)
    assert event.kind == kind
    assert event.object_id == _message(vector)["objectId"]
    assert event.nonce == _message(vector)["nonce"]


@pytest.mark.parametrize("vector", VECTORS)
def test_another_issuer_does_not_believe_them(vector: dict[str, Any]) -> None:
    assert isinstance(_read(vector, issuer_id=ISSUER), BadCallback)
    # The end of a number is not the number.
    assert isinstance(_read(vector, issuer_id=_issuer(vector)[:-1]), BadCallback)


@pytest.mark.parametrize("vector", VECTORS)
def test_they_expire(vector: dict[str, Any]) -> None:
    ends = _just_before_its_end(vector) + timedelta(seconds=1)

    assert _read(vector, now=ends) == BadCallback("the message has expired")
    much_later = ends + timedelta(days=30)
    assert _read(vector, now=much_later) == BadCallback(
        "the intermediate key has expired"
    )


def _edit(body: dict[str, Any], change: str) -> dict[str, Any]:  # noqa: C901 -- a list
    body = copy.deepcopy(body)
    inner = body["intermediateSigningKey"]
    match change:
        case "message":
            body["signedMessage"] = body["signedMessage"].replace(":1,", ":2,")
        case "space":
            body["signedMessage"] += " "
        case "key":
            inner["signedKey"] = inner["signedKey"].replace('000"}', '001"}')
        case "key rewritten":
            inner["signedKey"] = json.dumps(json.loads(inner["signedKey"]))
        case "signature":
            body["signature"] = inner["signatures"][0]
        case "signature with a tail":
            raw = base64.b64decode(body["signature"]) + b"\0"
            body["signature"] = base64.b64encode(raw).decode()
        case "signature with a blank":
            body["signature"] += "\n"
        case "no signatures":
            inner["signatures"] = []
        case "signatures as text":
            inner["signatures"] = inner["signatures"][0]
        case "version":
            body["protocolVersion"] = "ECv2"
        case "no key":
            del body["intermediateSigningKey"]
        case "a half letter":
            body["signedMessage"] += "\ud800"
    return body


@pytest.mark.parametrize(
    "change",
    [
        "message",
        "space",
        "key",
        "key rewritten",
        "signature",
        "signature with a tail",
        "signature with a blank",
        "no signatures",
        "signatures as text",
        "version",
        "no key",
        "a half letter",
    ],
)
@pytest.mark.parametrize("vector", VECTORS)
def test_one_edit_and_they_are_not_believed(
    vector: dict[str, Any], change: str
) -> None:
    edited = _edit(vector["body"], change)

    assert edited != vector["body"]
    assert isinstance(_read(vector, body=edited), BadCallback)


@pytest.mark.parametrize(
    "raw", [b"", b"null", b"[]", b"{}", b"\xff", b'{"signature":1}', b"[" * 100_000]
)
def test_anything_else_is_refused_calmly(raw: bytes) -> None:
    assert isinstance(_read(VECTORS[0], body=raw), BadCallback)


def test_bytes_after_the_json_are_refused() -> None:
    raw = json.dumps(VECTORS[0]["body"]).encode()

    assert isinstance(_read(VECTORS[0], body=raw), PassEvent)
    assert isinstance(_read(VECTORS[0], body=raw + b"x"), BadCallback)


def test_a_root_key_that_expired_or_is_for_something_else_signs_nothing() -> None:
    vector = VECTORS[0]
    now = _just_before_its_end(vector)
    millis = int(now.timestamp() * 1000)

    late = _roots(vector, keyExpiration=str(millis))
    soon = _roots(vector, keyExpiration=str(millis + 1))
    assert isinstance(_read(vector, roots=late, now=now), BadCallback)
    assert isinstance(_read(vector, roots=soon, now=now), PassEvent)
    assert _roots(vector, protocolVersion="ECv2") == []


def test_keys_that_cannot_be_read_are_skipped() -> None:
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    der = other.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    version = {"protocolVersion": "ECv2SigningOnly"}
    bad = [
        {"keyValue": "AAAA"} | version,
        {"keyValue": 7} | version,
        {"keyValue": base64.b64encode(der).decode()} | version,
        {"keyValue": VECTORS[0]["root"], "keyExpiration": "soon"} | version,
        version,
        "text",
    ]

    assert read_root_keys({"keys": bad}) == []
    assert read_root_keys({"keys": "none"}) == []
    good = {"keyValue": VECTORS[0]["root"]} | version
    assert len(read_root_keys({"keys": [*bad, good]})) == 1


def test_lengths_are_of_bytes_so_letters_beyond_ascii_verify() -> None:
    signer = CallbackSigner()
    # No class id is like this; a later field of the message may well be.
    body = signer.sign("save", f"{ISSUER}.p.カード", f"{ISSUER}.c.1", START)
    assert "カード" in body["signedMessage"]

    event = read_callback(
        json.dumps(body).encode(),
        issuer_id=ISSUER,
        roots=read_root_keys(signer.root_keys(START)),
        now=START,
    )
    assert isinstance(event, PassEvent)


def test_another_kind_of_event_is_refused() -> None:
    signer = CallbackSigner()
    body = signer.sign("view", f"{ISSUER}.p.1", f"{ISSUER}.c.1", START)
    roots = read_root_keys(signer.root_keys(START))

    read = read_callback(
        json.dumps(body).encode(), issuer_id=ISSUER, roots=roots, now=START
    )
    assert read == BadCallback("unknown event")


def test_a_pass_of_another_issuer_in_a_message_to_us_is_refused() -> None:
    signer = CallbackSigner()
    body = signer.sign("save", f"{ISSUER}.p.1", f"{ISSUER}9.c.1", START)
    roots = read_root_keys(signer.root_keys(START))

    read = read_callback(
        json.dumps(body).encode(), issuer_id=ISSUER, roots=roots, now=START
    )
    assert read == BadCallback("another issuer's pass")


def _event(nonce: str, minutes: int, object_id: str = "1.c.a") -> PassEvent:
    return PassEvent(
        kind="save",
        class_id="1.p.a",
        object_id=object_id,
        nonce=nonce,
        expires_at=START + timedelta(minutes=minutes),
    )


def test_a_repeated_or_late_event_is_no_news() -> None:
    heard = HeardEvents()
    heard.add(_event("n2", 5))

    assert not heard.is_news(_event("n2", 5))
    assert not heard.is_news(_event("n1", 4))
    assert heard.is_news(_event("n3", 6))
    assert heard.is_news(_event("n4", 1, object_id="1.c.b"))


def test_what_is_remembered_of_events_is_bounded() -> None:
    heard = HeardEvents()
    for number in range(10_001):
        heard.add(_event(f"n{number}", 1, object_id=f"1.c.{number}"))

    assert heard.is_news(_event("n0", 0, object_id="1.c.0"))
    assert not heard.is_news(_event("n1", 1, object_id="1.c.1"))
