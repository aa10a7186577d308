"""The service account file that a merchant uploads: is it one, and is it Google's?"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm

from core.errors import Invalid
from core.rules.fields import Problems
from passes.google.oauth import AUDIENCE
from passes.keys import WrongKey, read_rsa_key

# Google's have some 2 kB.
MOST_BYTES = 16 * 1024
_EMAIL = re.compile(r"[A-Za-z0-9._-]{1,100}@[A-Za-z0-9.-]{1,150}\.gserviceaccount\.com")
_ISSUER = re.compile(r"[0-9]{6,20}")
# Only these are kept. The addresses inside are never called.
_KEPT = ("type", "project_id", "private_key_id", "private_key", "client_email")
# Files that were made long ago name the first.
_TOKEN_URIS = ("https://accounts.google.com/o/oauth2/token", AUDIENCE)


def read_issuer_id(typed: str) -> str:
    """The issuer's digits, however typed. Raises `Invalid` for "issuer_id"."""
    found = re.sub(r"[\s-]", "", unicodedata.normalize("NFKC", typed))
    if not _ISSUER.fullmatch(found):
        raise Invalid({"issuer_id": ("wallets.invalid.issuer_id", {})})
    return found


def read_account(raw: bytes) -> str:
    """What is kept of the file, as JSON. Takes some 50 ms: call it in a thread.

    Raises `Invalid` with every problem at once: "account" for what is no such file,
    else "account.email", "account.key" and "account.token_uri".
    """
    data = _object(raw)
    if data.get("type") != "service_account":
        # Whatever else is missing then says nothing.
        raise Invalid({"account": ("wallets.invalid.account_type", {})})
    problems: Problems = {}
    if not _EMAIL.fullmatch(str(data.get("client_email", ""))):
        problems["account.email"] = ("wallets.invalid.account_email", {})
    if data.get("token_uri", AUDIENCE) not in _TOKEN_URIS:
        problems["account.token_uri"] = ("wallets.invalid.account_token_uri", {})
    if not _is_key(data.get("private_key")):
        problems["account.key"] = ("wallets.invalid.account_key", {})
    if problems:
        raise Invalid(problems)
    kept = {name: str(data[name]) for name in _KEPT if name in data}
    return json.dumps(kept | {"token_uri": AUDIENCE})


def _object(raw: bytes) -> dict[str, Any]:
    if not raw.strip():
        raise Invalid({"account": ("wallets.invalid.empty", {})})
    if len(raw) > MOST_BYTES:
        blanks = {"kb": MOST_BYTES // 1024}
        raise Invalid({"account": ("wallets.invalid.large", blanks)})
    try:
        data = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise Invalid({"account": ("wallets.invalid.not_account", {})})
    return data


def _is_key(pem: object) -> bool:
    if not isinstance(pem, str):
        return False
    try:
        read_rsa_key(pem.encode())
    except (WrongKey, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True
