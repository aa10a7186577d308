"""The code that a Google phone shows of an object, as stored: the one that changes goes
before the one that stays.

https://developers.google.com/wallet/retail/loyalty-cards/resources/rotating-barcodes
and RFC 6238 for the digits, which a phone makes without network.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime
from typing import Any

Stored = dict[str, Any]

_VALUE = re.compile(r"\{totp_value_(\d+)\}")


def shown_code(of_object: Stored, at: datetime) -> tuple[str, str]:
    """What is drawn as a code at this instant, and the text below; "" for none."""
    rotating = of_object.get("rotatingBarcode") or {}
    if rotating:
        return _filled(rotating, at), str(rotating.get("alternateText", ""))
    barcode = of_object.get("barcode") or {}
    return str(barcode.get("value", "")), str(barcode.get("alternateText", ""))


def _filled(rotating: Stored, at: datetime) -> str:
    details = rotating.get("totpDetails", {})
    millis = int(at.timestamp() * 1000)
    period = int(details.get("periodMillis", "0"))
    parameters = details.get("parameters", [])

    def digits(found: re.Match[str]) -> str:
        own = parameters[int(found[1])]
        key, length = bytes.fromhex(own["key"]), int(own["valueLength"])
        return _totp(key, millis // period, length)

    text = _VALUE.sub(digits, str(rotating.get("valuePattern", "")))
    text = text.replace("{totp_timestamp_millis}", str(millis))
    return text.replace("{totp_timestamp_seconds}", str(millis // 1000))


def _totp(key: bytes, counter: int, length: int) -> str:
    made = hmac.digest(key, counter.to_bytes(8, "big"), hashlib.sha1)
    at = made[-1] & 0x0F
    number = int.from_bytes(made[at : at + 4], "big") & 0x7FFF_FFFF
    return str(number)[-length:].zfill(length)
