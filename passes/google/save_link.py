"""Links that put an object on a phone: a signed JWT after Google's address.

https://developers.google.com/wallet/reference/rest/v1/Jwt; Google names 1800 letters as
the longest JWT that browsers carry safely.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from passes.google.account import ServiceAccount, sign_jwt

SAVE_URL = "https://pay.google.com/gp/v/save/"
MAX_JWT = 1800

# What a card needs to be useful, and in which order it may go where there is no room.
# Never the secret of a code that changes: whoever has the link could read it. Such a
# card has no code at all until its update comes.
_LEAN = ("id", "classId", "state", "barcode", "accountId", "loyaltyPoints")
_DROPPED_FIRST = ("loyaltyPoints", "accountId")


def skinny_link(
    account: ServiceAccount, thing: Mapping[str, Any], *, origin: str, now: datetime
) -> str:
    """A link to an object that Google has already: it only names it.

    A JWT never changes an object that exists, so more would be of no use.
    """
    named = {"id": thing["id"], "classId": thing["classId"]}
    return SAVE_URL + _sign(account, named, origin, now)


def lean_link(
    account: ServiceAccount, thing: Mapping[str, Any], *, origin: str, now: datetime
) -> str:
    """A link that makes the object by itself, where Google could not be told in time.

    It carries barcode and balance only; the next update brings the rest.
    """
    lean = {name: thing[name] for name in _LEAN if name in thing}
    if "loyaltyPoints" in lean:
        points = lean["loyaltyPoints"]
        lean["loyaltyPoints"] = {
            name: points[name] for name in ("label", "balance") if name in points
        }
    jwt = _sign(account, lean, origin, now)
    for name in _DROPPED_FIRST:
        if len(jwt) > MAX_JWT:
            lean.pop(name, None)
            jwt = _sign(account, lean, origin, now)
    return SAVE_URL + jwt


def _sign(
    account: ServiceAccount, thing: Mapping[str, Any], origin: str, now: datetime
) -> str:
    # No `exp`: a link in an old message must still work.
    claims = {
        "iss": account.email,
        "aud": "google",
        "typ": "savetowallet",
        "iat": int(now.timestamp()),
        "origins": [origin],
        "payload": {"loyaltyObjects": [thing]},
    }
    return sign_jwt(account, claims)
