"""Callbacks as Google signs them: a root key, an intermediate key, the message."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core.vault import new_token

_PROTOCOL = "ECv2SigningOnly"
# As in recorded callbacks: a message lives for hours, its key for about a week.
_MESSAGE_LIVES = timedelta(hours=1)
_KEY_LIVES = timedelta(days=8)
_ROOT_LIVES = timedelta(days=365)


class CallbackSigner:
    """A root and an intermediate key, made on the spot."""

    def __init__(self) -> None:
        self._root = generate_private_key(SECP256R1())
        self._intermediate = generate_private_key(SECP256R1())

    def root_keys(self, now: datetime) -> dict[str, Any]:
        """What Google publishes at /gp/m/issuer/keys."""
        key = {
            "keyValue": _public(self._root),
            "protocolVersion": _PROTOCOL,
            "keyExpiration": _millis(now + _ROOT_LIVES),
        }
        return {"keys": [key]}

    def sign(
        self, kind: str, class_id: str, object_id: str, now: datetime
    ) -> dict[str, Any]:
        """The body of a callback ("save" or "del") with a fresh nonce."""
        message = json.dumps(
            {
                "classId": class_id,
                "objectId": object_id,
                "eventType": kind,
                "expTimeMillis": int(_millis(now + _MESSAGE_LIVES)),
                "count": 1,
                "nonce": new_token(16),
            },
            ensure_ascii=False,
        )
        key = {
            "keyValue": _public(self._intermediate),
            "keyExpiration": _millis(now + _KEY_LIVES),
        }
        # Google writes "=" as \u003d inside this text, and signs the text.
        signed_key = json.dumps(key).replace("=", "\\u003d")
        issuer_id = class_id.partition(".")[0]
        by_root = _sign(self._root, _PROTOCOL, signed_key)
        return {
            "signature": _sign(self._intermediate, issuer_id, _PROTOCOL, message),
            "intermediateSigningKey": {
                "signedKey": signed_key,
                "signatures": [by_root],
            },
            "protocolVersion": _PROTOCOL,
            "signedMessage": message,
        }


def _sign(key: EllipticCurvePrivateKey, *parts: str) -> str:
    signed = bytearray()
    for part in ("GooglePayPasses", *parts):
        raw = part.encode()
        signed += len(raw).to_bytes(4, "little") + raw
    return base64.b64encode(key.sign(bytes(signed), ECDSA(SHA256()))).decode()


def _public(key: EllipticCurvePrivateKey) -> str:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def _millis(at: datetime) -> str:
    return str(int(at.timestamp() * 1000))
