"""Google's word that a pass was saved or removed: is it Google's, and what does it say?

ECv2SigningOnly as in
https://developers.google.com/wallet/retail/loyalty-cards/use-cases/use-callbacks-for-saves-and-deletions
: a root key signs an intermediate key, that one signs the message.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

PROTOCOL = "ECv2SigningOnly"
SENDER = "GooglePayPasses"

_UNREADABLE = (
    AttributeError,
    KeyError,
    OSError,
    OverflowError,
    RecursionError,
    TypeError,
    UnsupportedAlgorithm,
    ValueError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RootKey:
    """One of Google's published keys; `expires_at` None: it does not say."""

    key: EllipticCurvePublicKey
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassEvent:
    """A verified callback. `expires_at` is when Google stops standing behind it."""

    kind: Literal["save", "del"]
    class_id: str
    object_id: str
    nonce: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class BadCallback:
    """Not believed; `why` may be told to the sender."""

    why: str


def read_callback(
    raw: bytes, *, issuer_id: str, roots: Sequence[RootKey], now: datetime
) -> PassEvent | BadCallback:
    """Verify the body of a callback to an issuer at `now`, the real time."""
    try:
        return _verify(json.loads(raw), issuer_id, roots, now)
    except _UNREADABLE:
        return BadCallback("not a callback of Google Wallet")


def read_root_keys(data: Mapping[str, Any]) -> list[RootKey]:
    """The keys for our protocol in Google's published list. Skips unreadable ones."""
    found = []
    listed = data.get("keys")
    for entry in listed if isinstance(listed, list) else []:
        try:
            if entry["protocolVersion"] != PROTOCOL:
                continue
            expiry = entry.get("keyExpiration")
            expires_at = None if expiry is None else _instant(expiry)
            found.append(RootKey(key=_key(entry["keyValue"]), expires_at=expires_at))
        except _UNREADABLE:
            continue
    return found


def _verify(
    body: Mapping[str, Any], issuer_id: str, roots: Sequence[RootKey], now: datetime
) -> PassEvent | BadCallback:
    if body["protocolVersion"] != PROTOCOL:
        return BadCallback("unknown protocol version")
    # The strings are verified as they were parsed, never written anew: the key's text
    # has a literal \u003d in it that any re-serialising would change.
    signed_key = _text(body["intermediateSigningKey"]["signedKey"])
    signatures = body["intermediateSigningKey"]["signatures"]
    current = [r.key for r in roots if r.expires_at is None or r.expires_at > now]
    by_root = _signed(SENDER, PROTOCOL, signed_key)
    if not any(_fits(k, _text(s), by_root) for k in current for s in signatures):
        return BadCallback("the intermediate key is not signed by Google")
    intermediate = json.loads(signed_key)
    if _instant(intermediate["keyExpiration"]) <= now:
        return BadCallback("the intermediate key has expired")
    message = _text(body["signedMessage"])
    by_key = _signed(SENDER, issuer_id, PROTOCOL, message)
    if not _fits(_key(intermediate["keyValue"]), _text(body["signature"]), by_key):
        return BadCallback("the signature does not fit")
    return _read_event(json.loads(message), issuer_id, now)


def _read_event(
    message: Mapping[str, Any], issuer_id: str, now: datetime
) -> PassEvent | BadCallback:
    kind = message["eventType"]
    if kind not in {"save", "del"}:
        return BadCallback("unknown event")
    event = PassEvent(
        kind=kind,
        class_id=_text(message["classId"]),
        object_id=_text(message["objectId"]),
        nonce=_text(message["nonce"]),
        expires_at=_instant(message["expTimeMillis"]),
    )
    if event.expires_at <= now:
        return BadCallback("the message has expired")
    if not all(
        i.startswith(f"{issuer_id}.") for i in (event.class_id, event.object_id)
    ):
        return BadCallback("another issuer's pass")
    return event


def _signed(*parts: str) -> bytes:
    # The length is of bytes, not of letters.
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "little") + part for part in encoded)


def _fits(key: EllipticCurvePublicKey, signature: str, signed: bytes) -> bool:
    try:
        key.verify(_base64(signature), signed, ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _key(text: Any) -> EllipticCurvePublicKey:
    key = load_der_public_key(_base64(_text(text)))
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(
        key.curve, SECP256R1
    ):
        msg = "not a P-256 key"
        raise TypeError(msg)
    return key


def _base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _instant(millis: Any) -> datetime:
    return datetime.fromtimestamp(int(millis) / 1000, UTC)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        msg = "not a text"
        raise TypeError(msg)
    return value
