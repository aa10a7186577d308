"""A Google Wallet pass as the phone page draws it: class and object, as stored, joined.

https://developers.google.com/wallet/retail/loyalty-cards/resources/template
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from core.rules.types import Language
from jobs.demo.google_barcode import shown_code

Stored = dict[str, Any]

_PATH = re.compile(r"(object|class)\.(\w+)(?:\['([^']+)'\]|\.(\w+))?")
_ITEMS = ("startItem", "middleItem", "endItem", "item")


def view(
    of_object: Stored, of_class: Stored, language: Language, at: datetime
) -> dict[str, Any]:
    """Everything that is drawn of one pass at an instant, in `language`, as JSON."""
    whole = {"object": of_object, "class": of_class}
    template = of_class.get("classTemplateInfo", {})
    code, code_text = shown_code(of_object, at)
    return {
        "id": of_object.get("id", ""),
        "state": str(of_object.get("state", "ACTIVE")).upper(),
        "background": of_class.get("hexBackgroundColor", "#1a73e8"),
        "issuer": _said(of_class, "issuerName", language),
        "program": _said(of_class, "programName", language),
        "logo": _picture(of_class.get("programLogo")),
        "hero": _picture(of_object.get("heroImage") or of_class.get("heroImage")),
        "rows": _rows(template, whole, language),
        "above": _above(template, whole, language),
        "code": code,
        "code_text": code_text,
        "is_changing": "rotatingBarcode" in of_object,
        "details": _details(whole, language),
    }


def _rows(template: Stored, whole: Stored, language: Language) -> list[list[Stored]]:
    override = template.get("cardTemplateOverride", {})
    rows = []
    for row in override.get("cardRowTemplateInfos", []):
        items: Stored = next(iter(row.values()), {})
        found = [_item(items.get(key), whole, language) for key in _ITEMS]
        rows.append([item for item in found if item])
    if not rows:
        paths = (
            "object.loyaltyPoints.balance",
            "object.secondaryLoyaltyPoints.balance",
        )
        rows = [[item for path in paths if (item := _at(path, whole, language))]]
    return [row for row in rows if row]


def _above(template: Stored, whole: Stored, language: Language) -> list[Stored]:
    section = template.get("cardBarcodeSectionDetails", {})
    found = [
        _item(
            {"firstValue": section.get(key, {}).get("fieldSelector")}, whole, language
        )
        for key in ("firstTopDetail", "secondTopDetail")
    ]
    return [item for item in found if item]


def _item(item: Stored | None, whole: Stored, language: Language) -> Stored | None:
    for value in ("firstValue", "secondValue"):
        for field in ((item or {}).get(value) or {}).get("fields", []):
            if found := _at(field.get("fieldPath", ""), whole, language):
                return found
    return None


def _at(path: str, whole: Stored, language: Language) -> Stored | None:
    parts = _PATH.fullmatch(path)
    if parts is None:
        return None
    holder, name, module, leaf = parts.groups()
    thing = whole[holder].get(name)
    if module is not None:
        modules = [m for m in thing or [] if m.get("id") == module]
        return _module(modules[0], language) if modules else None
    if isinstance(thing, dict) and leaf == "balance":
        label = _said(thing, "label", language)
        return {"label": label, "value": _balance(thing.get("balance", {}))}
    text = _said(thing, leaf, language) if isinstance(thing, dict) and leaf else thing
    return {"label": "", "value": str(text)} if text else None


def _module(module: Stored, language: Language) -> Stored:
    return {
        "label": _said(module, "header", language),
        "value": _said(module, "body", language),
    }


def _details(whole: Stored, language: Language) -> list[Stored]:
    found = []
    for holder in ("object", "class"):
        found += [
            _module(m, language) for m in whole[holder].get("textModulesData", [])
        ]
        for link in whole[holder].get("linksModuleData", {}).get("uris", []):
            said = _said(link, "description", language)
            found.append({"label": said, "value": link.get("uri", "")})
    if account := whole["object"].get("accountId"):
        label = _said(whole["class"], "accountIdLabel", language)
        found.append({"label": label, "value": account})
    return [item for item in found if item["value"]]


def _balance(balance: Stored) -> str:
    for kind in ("string", "int", "double"):
        if kind in balance:
            return str(balance[kind])
    return ""


def _said(holder: Stored, name: str, language: Language) -> str:
    localized = holder.get(f"localized{name[0].upper()}{name[1:]}")
    if not localized:
        return str(holder.get(name, ""))
    for said in localized.get("translatedValues", []):
        if str(said.get("language", "")).startswith(language):
            return str(said.get("value", ""))
    return str(localized.get("defaultValue", {}).get("value", ""))


def _picture(image: Stored | None) -> str:
    return str((image or {}).get("sourceUri", {}).get("uri", ""))
