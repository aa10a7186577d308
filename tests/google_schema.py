"""Is a body what Google's API takes? Strictly, from Google's own discovery document.

Google drops unknown fields without a word, so a typing mistake would only be seen as a
card that lacks something. The document ships in google-api-python-client; lengths come
from its prose, the rest of its prose is written out in the rules below.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

Json = dict[str, Any]

_ID = re.compile(r"\d+\.[A-Za-z0-9._-]+")
_LENGTH = re.compile(
    r"(?:maximum length is|Recommended maximum is|after the first|limit is) (\d+)"
)
_REQUIRED = re.compile(r"^Required\.")
_TOTP_PART = re.compile(r"\{totp_value_(\d+)\}")
_PATH_PART = re.compile(r"([A-Za-z]+)(?:\['([A-Za-z0-9_-]+)'\])?")
_COUNTS = {
    "textModulesData": 10,
    "imageModulesData": 1,
    "messages": 10,
    "merchantLocations": 10,
    "valueAddedModuleData": 15,
    "cardRowTemplateInfos": 3,
}
_ONE_OF = {
    "LoyaltyPointsBalance": ("string", "int", "double", "money"),
    "Image": ("sourceUri", "privateImageId"),
    "TemplateItem": ("firstValue", "predefinedItem"),
    "CardRowTemplateInfo": ("oneItem", "twoItems", "threeItems"),
}

# In Python True is an int; in JSON it is not.
_PLAIN = {
    "boolean": (lambda v: isinstance(v, bool), "not true or false"),
    "integer": (
        lambda v: type(v) is int and -(2**31) <= v < 2**31,
        "not a 32-bit number",
    ),
    "number": (lambda v: type(v) in {int, float}, "not a number"),
}


def check(kind: str, body: Json, *, plain_http: bool = False) -> list[str]:
    """What is wrong with a whole class or object; `plain_http` lets http:// pass."""
    name = kind[0].upper() + kind[1:]
    problems = list(_check_schema(name, body, ""))
    for field, schema in _schema(name)["properties"].items():
        if _REQUIRED.match(schema.get("description", "")) and not body.get(field):
            problems.append(f"{field}: required")
    problems += [
        f"{field}: not an id"
        for field in ("id", "classId")
        if field in body and not _ID.fullmatch(str(body[field]))
    ]
    problems += _check_paths(body, {name: body}, both=False)
    problems += _check_urls(body, plain_http=plain_http)
    return problems


def check_pair(a_class: Json, thing: Json) -> list[str]:
    """Does every field path of the class's template point at something?"""
    return list(
        _check_paths(
            a_class, {"LoyaltyClass": a_class, "LoyaltyObject": thing}, both=True
        )
    )


@cache
def _document() -> Json:
    folder = files("googleapiclient").joinpath("discovery_cache/documents")
    return json.loads(folder.joinpath("walletobjects.v1.json").read_text())


def _schema(name: str) -> Json:
    return _document()["schemas"][name]


def _check_schema(name: str, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: not an object"
        return
    known = _schema(name)["properties"]
    for field, inner in value.items():
        at = f"{path}.{field}" if path else field
        schema = known.get(field)
        if schema is None:
            yield f"{at}: unknown field"
            continue
        if schema.get("deprecated"):
            yield f"{at}: deprecated"
        yield from _check_value(schema, inner, at)
        yield from _check_length(schema, inner, at)
        if isinstance(inner, list) and len(inner) > _COUNTS.get(field, len(inner)):
            yield f"{at}: more than {_COUNTS[field]}"
        yield from _check_localised(value, field, at)
    yield from _check_rules(name, value, path)


def _check_value(schema: Json, value: Any, at: str) -> Iterator[str]:
    if "$ref" in schema:
        yield from _check_schema(schema["$ref"], value, at)
        return
    match schema["type"]:
        case "array":
            if not isinstance(value, list):
                yield f"{at}: not a list"
                return
            for place, item in enumerate(value):
                yield from _check_value(schema["items"], item, f"{at}[{place}]")
        case "string":
            yield from _check_text(schema, value, at)
        case plain:
            is_right, problem = _PLAIN[plain]
            if not is_right(value):
                yield f"{at}: {problem}"


def _check_text(schema: Json, value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{at}: not a string"
        return
    if schema.get("format") == "int64" and not re.fullmatch(r"-?\d+", value):
        yield f"{at}: not an int64 string"
    if "enum" not in schema:
        return
    if value not in schema["enum"]:
        yield f"{at}: {value} is not in the enum"
        return
    deprecated = schema.get("enumDeprecated") or [False] * len(schema["enum"])
    if deprecated[schema["enum"].index(value)]:
        yield f"{at}: {value} is a deprecated alias"


def _check_length(schema: Json, value: Any, at: str) -> Iterator[str]:
    found = _LENGTH.search(schema.get("description", ""))
    if found is None:
        return
    for text in _texts(value):
        if len(text) > int(found[1]):
            yield f"{at}: longer than {found[1]}"


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, dict):
        return []
    if isinstance(value.get("string"), str):
        return [value["string"]]
    said = [value.get("defaultValue"), *(value.get("translatedValues") or [])]
    return [s["value"] for s in said if isinstance(s, dict) and "value" in s]


def _check_localised(value: Json, field: str, at: str) -> Iterator[str]:
    if not field.startswith("localized") or not isinstance(value[field], dict):
        return
    plain = field[9].lower() + field[10:]
    said = value[field].get("defaultValue", {}).get("value")
    if value.get(plain, said) != said:
        yield f"{at}: its default differs from {plain}"


def _check_rules(name: str, value: Json, path: str) -> Iterator[str]:
    choices = [field for field in _ONE_OF.get(name, ()) if field in value]
    if name in _ONE_OF and len(choices) != 1:
        yield f"{path}: exactly one of {', '.join(_ONE_OF[name])}"
    match name:
        case "TextModuleData" | "Uri" if not re.fullmatch(
            r"[A-Za-z0-9_-]+", value.get("id", "")
        ):
            yield f"{path}.id: letters, digits, _ and - only"
        case "LoyaltyPoints" if "balance" not in value:
            yield f"{path}.balance: required"
        case "LocalizedString" if "defaultValue" not in value:
            yield f"{path}.defaultValue: required"
        case "TranslatedString" if not value.get("value") or not re.fullmatch(
            r"[a-z]{2,3}(-[A-Za-z0-9]+)*", value.get("language", "")
        ):
            yield f"{path}: a language and a text"
        case "DateTime" if not _is_instant(value.get("date")):
            yield f"{path}.date: not an instant with an offset"
        case "MerchantLocation" if not _is_on_globe(**value):
            yield f"{path}: out of range"
        case "RotatingBarcode":
            yield from _check_rotation(value, path)
        case "LoyaltyClass" if not re.fullmatch(
            r"#[0-9a-fA-F]{6}", value.get("hexBackgroundColor", "#000000")
        ):
            yield "hexBackgroundColor: not #rrggbb"
        case _:
            pass


def _check_rotation(value: Json, path: str) -> Iterator[str]:
    """What the prose of RotatingBarcode and its parts says."""
    if value.get("type") not in {"QR_CODE", "PDF_417"}:
        yield f"{path}.type: not supported for rotating barcodes"
    details = value.get("totpDetails", {})
    period = str(details.get("periodMillis", ""))
    if details.get("algorithm") != "TOTP_SHA1" or not period.strip("0"):
        yield f"{path}.totpDetails: no algorithm or no period"
    parameters = details.get("parameters", [])
    wanted = {int(n) for n in _TOTP_PART.findall(value.get("valuePattern", ""))}
    # "The TotpParameters at index n is used for the {totp_value_n} substitution."
    if not wanted or wanted != set(range(len(parameters))):
        yield f"{path}.valuePattern: its values are not those of the parameters"
    left = _TOTP_PART.sub("", value.get("valuePattern", ""))
    if re.sub(r"\{totp_timestamp_(millis|seconds)\}", "", left).count("{"):
        yield f"{path}.valuePattern: an unknown substitution"
    for each in parameters:
        # Base16 is upper-case: RFC 4648, section 8.
        if not re.fullmatch(r"([0-9A-F]{2}){16,}", each.get("key", "")):
            yield f"{path}.key: no Base16 of a secret"
        if each.get("valueLength") not in {6, 7, 8}:
            yield f"{path}.valueLength: not what RFC 4226 makes"


def _is_on_globe(latitude: Any = 91, longitude: Any = 181) -> bool:
    return -90 <= latitude <= 90 and -180 <= longitude <= 180


def _is_instant(text: Any) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _check_urls(value: Any, at: str = "", *, plain_http: bool) -> Iterator[str]:
    schemes = ("https://", "http://") if plain_http else ("https://",)
    if isinstance(value, list):
        for item in value:
            yield from _check_urls(item, at, plain_http=plain_http)
    if not isinstance(value, dict):
        return
    for field, inner in value.items():
        if field in {"sourceUri", "callbackOptions"} and isinstance(inner, dict):
            url = str(inner.get("uri") or inner.get("url"))
            if not url.startswith(schemes):
                yield f"{field}: {url} is not https"
        yield from _check_urls(inner, field, plain_http=plain_http)


def _check_paths(value: Any, known: dict[str, Json], *, both: bool) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _check_paths(item, known, both=both)
    if not isinstance(value, dict):
        return
    for field, inner in value.items():
        if field == "fieldPath":
            problem = _walk(str(inner), known, both=both)
            if problem:
                yield f"{inner}: {problem}"
        yield from _check_paths(inner, known, both=both)


def _walk(path: str, known: dict[str, Json], *, both: bool) -> str | None:
    """Follow a path through the schemas, and its module ids through the bodies."""
    root, *parts = path.split(".")
    if root not in {"object", "class"} or not parts:
        return "begins with neither object nor class"
    name = "Loyalty" + root.capitalize()
    body: Any = known.get(name)
    for part in parts:
        found = _PATH_PART.fullmatch(part)
        schema = found and name and _schema(name)["properties"].get(found[1])
        if not found or not schema:
            return f"there is no {part}"
        body = body.get(found[1]) if isinstance(body, dict) else None
        item = schema.get("items", schema)
        if found[2] is not None:
            ids = [m.get("id") for m in body or []]
            if (both or body is not None) and found[2] not in ids:
                return f"there is no {found[2]}"
        elif schema.get("type") == "array":
            return f"{part} needs an id"
        name = item.get("$ref", "")
    return None
