"""The code on a Google pass: one that stays, or one that the phone makes anew each half
a minute. Pure.

https://developers.google.com/wallet/retail/loyalty-cards/resources/rotating-barcodes
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core.rules.face import CardFace
from core.rules.pass_codes import N_DIGITS, PERIOD

# All fields that a pass's code is made of; of some, the one or the other has none.
CODE_FIELDS = ("barcode", "rotatingBarcode", "passConstraints")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What a phone makes codes of: the `url` before their last digits, and a secret."""

    url: str
    key: bytes = field(repr=False)


def code_fields(
    face: CardFace, card_url: str, rotation: Rotation | None
) -> dict[str, Any]:
    """The fields of the code; those that the object must not have are left out.

    A phone that can show both codes falls back to the one that stays, so a protected
    card has no other: a picture of that would be good for ever.
    """
    if not face.changing_code:
        code = {"type": "QR_CODE", "value": card_url, "alternateText": face.member_no}
        return {"barcode": code}
    assert rotation is not None
    return {
        "rotatingBarcode": {
            "type": "QR_CODE",
            "valuePattern": f"{rotation.url}{{totp_value_0}}",
            "alternateText": face.member_no,
            "totpDetails": {
                "algorithm": "TOTP_SHA1",
                # An int64 is a text in JSON.
                "periodMillis": str(int(PERIOD.total_seconds() * 1000)),
                "parameters": [
                    {"key": rotation.key.hex().upper(), "valueLength": N_DIGITS}
                ],
            },
        },
        "passConstraints": {"screenshotEligibility": "INELIGIBLE"},
    }
