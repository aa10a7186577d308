"""Service accounts for the Google stand-in: made on the spot, their JWTs verified."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from core.vault import new_token

TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 -- an address

_SKEW_SECONDS = 300
_LONGEST_SECONDS = 3600
_N_PARTS = 3


class BadJwt(ValueError):
    """Not a JWT, not signed by a known account, or not for this use."""


def make_service_account(
    name: str = "stampcard", *, token_uri: str = TOKEN_URI
) -> tuple[str, RSAPublicKey]:
    """A service account's JSON file as the Cloud console gives it, and its public key.

    Takes some 100 ms (a 2048-bit RSA key): call it in a thread.
    """
    key = generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    account = {
        "type": "service_account",
        "project_id": f"{name}-demo",
        "private_key_id": new_token(20),
        "private_key": pem.decode(),
        "client_email": f"{name}@{name}-demo.iam.gserviceaccount.com",
        "client_id": "100000000000000000000",
        "token_uri": token_uri,
    }
    return json.dumps(account, indent=2), key.public_key()


def open_jwt(jwt: str, keys: Mapping[str, RSAPublicKey]) -> dict[str, Any]:
    """The claims of a JWT that one of `keys` (by e-mail) signed. Raises BadJwt."""
    parts = jwt.split(".")
    if len(parts) != _N_PARTS:
        raise BadJwt("not a JWT")
    header, claims = _json(parts[0]), _json(parts[1])
    if header.get("alg") != "RS256":
        raise BadJwt("the algorithm is not RS256")
    key = keys.get(str(claims.get("iss")))
    if key is None:
        raise BadJwt("unknown issuer")
    signed = f"{parts[0]}.{parts[1]}".encode()
    try:
        key.verify(_base64(parts[2]), signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        raise BadJwt("the signature does not fit") from None
    return claims


def check_grant(claims: Mapping[str, Any], scope: str, now: datetime) -> None:
    """Is it the assertion of a JWT-bearer grant? Raises BadJwt.

    https://developers.google.com/identity/protocols/oauth2/service-account#httprest
    """
    made, ends = claims.get("iat"), claims.get("exp")
    if not isinstance(made, int) or not isinstance(ends, int):
        raise BadJwt("iat and exp must be whole numbers")
    if claims.get("aud") != TOKEN_URI:
        raise BadJwt("the audience is not Google's token service")
    if scope not in str(claims.get("scope", "")).split():
        raise BadJwt("the scope of Google Wallet is missing")
    seconds = now.timestamp()
    if ends - made > _LONGEST_SECONDS or made > seconds + _SKEW_SECONDS:
        raise BadJwt("not short-lived, or from the future")
    if ends <= seconds:
        raise BadJwt("it has expired")


def _json(part: str) -> dict[str, Any]:
    try:
        value = json.loads(_base64(part))
    except ValueError:
        raise BadJwt("not a JWT") from None
    if not isinstance(value, dict):
        raise BadJwt("not a JWT")
    return value


def _base64(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        raise BadJwt("not a JWT") from None
