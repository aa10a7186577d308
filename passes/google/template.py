"""Where on the card Google puts which field. Pure.

https://developers.google.com/wallet/retail/loyalty-cards/resources/template
"""

from __future__ import annotations

from typing import Any

# Text modules that the template points at; a rename would leave holes in old cards.
ROW, NEXT = "row", "next"


def template() -> dict[str, Any]:
    """A class's `classTemplateInfo`, the same for every program."""
    return {
        "cardTemplateOverride": {
            "cardRowTemplateInfos": [
                {
                    "twoItems": {
                        "startItem": _item("object.loyaltyPoints.balance"),
                        "endItem": _item("object.secondaryLoyaltyPoints.balance"),
                    }
                },
                {"oneItem": {"item": _item(f"object.textModulesData['{NEXT}']")}},
            ]
        },
        # The big picture is drawn below the barcode: the row above it shows the stamps
        # where a customer looks first.
        "cardBarcodeSectionDetails": {
            "firstTopDetail": {
                "fieldSelector": _fields(f"object.textModulesData['{ROW}']")
            }
        },
        "listTemplateOverride": {
            "secondRowOption": _fields("object.loyaltyPoints.balance")
        },
    }


def _item(path: str) -> dict[str, Any]:
    return {"firstValue": _fields(path)}


def _fields(path: str) -> dict[str, Any]:
    return {"fields": [{"fieldPath": path}]}
