"""The checker itself: Google's limits hold, and planted mistakes are found."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.google_schema import check, check_pair
from tests.passes.google_cards import a_class, a_face, an_object


def _set(body: Any, path: str, value: Any) -> Any:
    changed = copy.deepcopy(body)
    *way, last = path.split("/")
    at: Any = changed
    for part in way:
        at = at[int(part)] if isinstance(at, list) else at[part]
    at[int(last) if isinstance(at, list) else last] = value
    return changed


CLASS_MISTAKES = {
    "an unknown field": ("textModulesDate", [], "unknown field"),
    "a deprecated enum alias": ("reviewStatus", "underReview", "deprecated alias"),
    "a deprecated field": ("kind", "walletobjects#loyaltyClass", "deprecated"),
    "an unknown enum value": ("reviewStatus", "READY", "not in the enum"),
    "too long a name": ("issuerName", "あ" * 21, "longer than 20"),
    "plain http": ("programLogo/sourceUri/uri", "http://a.example/x.png", "not https"),
    "a callback without TLS": ("callbackOptions/url", "http://a.example", "not https"),
    "a colour by name": ("hexBackgroundColor", "brown", "not #rrggbb"),
    "eleven places": (
        "merchantLocations",
        [{"latitude": 1.0, "longitude": 1.0}] * 11,
        "more than 10",
    ),
    "a place off the globe": (
        "merchantLocations",
        [{"latitude": 91.0, "longitude": 1.0}],
        "out of range",
    ),
    "a bad id": ("id", "coffee", "not an id"),
    "no name": ("programName", "", "required"),
    "a path to nowhere": (
        "classTemplateInfo/listTemplateOverride/secondRowOption/fields/0/fieldPath",
        "object.loyaltyPoint.balance",
        "there is no loyaltyPoint",
    ),
    "a language that is none": (
        "localizedAccountIdLabel/defaultValue/language",
        "Japanese",
        "a language and a text",
    ),
    "another default": ("accountIdLabel", "番号", "its default differs"),
}
OBJECT_MISTAKES = {
    "an id with a dot": ("textModulesData/0/id", "a.b", "letters, digits"),
    "a class's field": ("hexBackgroundColor", "#ffffff", "unknown field"),
    "text for a number": ("secondaryLoyaltyPoints/balance/int", "1", "32-bit"),
    "true for a number": ("secondaryLoyaltyPoints/balance/int", True, "32-bit"),
    "too big a number": ("secondaryLoyaltyPoints/balance/int", 2**31, "32-bit"),
    "two kinds of balance": (
        "loyaltyPoints/balance",
        {"string": "3/10", "int": 3},
        "exactly one of",
    ),
    "too long a balance": ("loyaltyPoints/balance/string", "12345678", "longer than 7"),
    "too long a label": ("loyaltyPoints/label", "stamps now", "longer than 9"),
    "null": ("heroImage", None, "not an object"),
    "a date without zone": (
        "validTimeInterval/end/date",
        "2027-03-31T23:59:59",
        "not an instant",
    ),
    "a number that is text": ("version", 1, "not a string"),
    "an int64 in words": ("version", "one", "not an int64"),
    "a yes for true": ("hasUsers", "yes", "not true or false"),
    "a list that is none": ("textModulesData", {}, "not a list"),
    "a text module too many": (
        "textModulesData",
        [{"id": f"t{n}", "body": "x"} for n in range(11)],
        "more than 10",
    ),
    "no state": ("state", "", "required"),
}


ROTATION = "rotatingBarcode"
TOTP = f"{ROTATION}/totpDetails"
CODE_MISTAKES = {
    "another kind of code": (f"{ROTATION}/type", "AZTEC", "not supported"),
    "no such value": (f"{ROTATION}/valuePattern", "T{totp_value_1}", "its values"),
    "no value at all": (f"{ROTATION}/valuePattern", "T1", "its values"),
    "a mistyped value": (
        f"{ROTATION}/valuePattern",
        "{totp_value_0}{totp}",
        "an unknown substitution",
    ),
    "a number for the period": (f"{TOTP}/periodMillis", 30000, "not a string"),
    "no period": (f"{TOTP}/periodMillis", "0", "no period"),
    "another hash": (f"{TOTP}/algorithm", "TOTP_SHA256", "not in the enum"),
    "a key in Base64": (f"{TOTP}/parameters/0/key", "MTIzNDU2Nzg5MDEy", "Base16"),
    "a short key": (f"{TOTP}/parameters/0/key", "00" * 15, "Base16"),
    "text for a length": (f"{TOTP}/parameters/0/valueLength", "6", "32-bit"),
    "four digits": (f"{TOTP}/parameters/0/valueLength", 4, "not what RFC"),
    "a mistyped constraint": (
        "passConstraints/screenshotEligibility",
        "NO",
        "not in the enum",
    ),
}


@pytest.mark.parametrize("name", CODE_MISTAKES)
def test_a_planted_mistake_in_a_code_that_changes_is_found(name: str) -> None:
    path, value, problem = CODE_MISTAKES[name]
    whole = an_object(a_face(changing_code=True))

    assert check("loyaltyObject", whole) == []
    assert problem in "; ".join(check("loyaltyObject", _set(whole, path, value)))


@pytest.mark.parametrize("name", CLASS_MISTAKES)
def test_a_planted_mistake_in_a_class_is_found(name: str) -> None:
    path, value, problem = CLASS_MISTAKES[name]
    whole = a_class(a_face(guide="1日1回"))

    assert check("loyaltyClass", whole) == []
    assert problem in "; ".join(check("loyaltyClass", _set(whole, path, value)))


@pytest.mark.parametrize("name", OBJECT_MISTAKES)
def test_a_planted_mistake_in_an_object_is_found(name: str) -> None:
    path, value, problem = OBJECT_MISTAKES[name]
    whole = an_object(a_face(expires_in_days=30))

    assert check("loyaltyObject", whole) == []
    assert problem in "; ".join(check("loyaltyObject", _set(whole, path, value)))


def test_a_template_that_names_a_missing_text_is_found() -> None:
    thing = an_object(a_face())
    thing["textModulesData"][0]["id"] = "rows"

    assert check_pair(a_class(a_face()), thing) == [
        "object.textModulesData['row']: there is no row"
    ]
