"""A merchant's Google service account, and the JWTs that it signs (RS256)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from core.errors import DeliveryError


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """Who signs: the `client_email` and key of a service account's JSON file."""

    email: str
    key_id: str
    key: RSAPrivateKey = field(repr=False)


def load_account(text: str) -> ServiceAccount:
    """Read a service account's JSON file. Takes some 50 ms: call it in a thread.

    Raises DeliveryError that halts the merchant's Google connection.
    """
    try:
        data = json.loads(text)
        key = load_pem_private_key(data["private_key"].encode(), password=None)
        email, key_id = str(data["client_email"]), str(data.get("private_key_id", ""))
    except (AttributeError, KeyError, TypeError, ValueError):
        key = None
        email, key_id = "", ""
    if not isinstance(key, RSAPrivateKey):
        # Not chained: the parser's own message may quote parts of the key.
        msg = "the Google service account's key cannot be read"
        raise DeliveryError(msg, permanent=True, halts=True) from None
    return ServiceAccount(email=email, key_id=key_id, key=key)


def sign_jwt(account: ServiceAccount, claims: Mapping[str, Any]) -> str:
    """A compact RS256 JWT of `claims` (RFC 7515, RFC 7518 section 3.3)."""
    header = {"alg": "RS256", "typ": "JWT"}
    if account.key_id:
        header["kid"] = account.key_id
    signed = f"{_part(header)}.{_part(claims)}"
    signature = account.key.sign(signed.encode(), PKCS1v15(), SHA256())
    return f"{signed}.{_base64url(signature)}"


def _part(value: Mapping[str, Any]) -> str:
    # Japanese as itself, not as \uXXXX: links have a length limit.
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _base64url(text.encode())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
