"""What Google keeps of classes and objects, and by which rules it changes.

Only what Google documents or was seen to answer; each rule names where from. "updates":
https://developers.google.com/wallet/retail/loyalty-cards/use-cases/updates; "errors":
https://developers.google.com/wallet/retail/loyalty-cards/resources/error-codes
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

Json = dict[str, Any]
Check = Callable[[str, Json], list[str]]

# "Required." in the reference of each type.
_REQUIRED = {
    "loyaltyClass": ("id", "issuerName", "programName", "programLogo", "reviewStatus"),
    "loyaltyObject": ("id", "classId", "state"),
}
_ID = re.compile(r"(\d+)\.[A-Za-z0-9._-]+")
_BALANCES = ("loyaltyPoints", "secondaryLoyaltyPoints")
_ENUMS = {"state", "type", "reviewStatus", "multipleDevicesAndHoldersAllowedStatus"}
_DAY = timedelta(hours=24)
_RINGS_A_DAY = 3


class ErrorAnswer(Exception):
    """An answer other than 200, with Google's `errors[].reason`."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message

    def body(self) -> Json:
        """Google's JSON for it."""
        error = {
            "message": self.message,
            "domain": "walletobjects",
            "reason": self.reason,
        }
        return {
            "error": {
                "code": self.status,
                "message": self.message,
                "errors": [error],
            }
        }


class Shelf:
    """The classes and objects of one issuer, by id, with the names that were sent.

    `rings` has (object id, time) of every notification that a phone would have shown.
    """

    def __init__(
        self, issuer_id: str, check: Check | None, now: Callable[[], datetime]
    ) -> None:
        self.classes: dict[str, Json] = {}
        self.objects: dict[str, Json] = {}
        self.rings: list[tuple[str, datetime]] = []
        self._issuer_id = issuer_id
        self._check = check
        self._now = now

    def read(self, kind: str, name: str) -> Json:
        """GET. Raises ErrorAnswer 404, or 403 for another issuer's."""
        self._check_id(name)
        found = self._of(kind).get(name)
        if found is None:
            raise ErrorAnswer(404, "resourceNotFound", f"{kind} {name} not found.")
        return found

    def check_issuer(self, issuer_id: str) -> None:
        """GET of the issuer. Raises ErrorAnswer 404 for any but the one there is."""
        if issuer_id != self._issuer_id:
            raise ErrorAnswer(404, "notFound", f"Issuer {issuer_id} not found.")

    def list_objects(self, class_id: str) -> list[Json]:
        """The objects of a class. Raises ErrorAnswer 404 where there is no such."""
        self._check_id(class_id)
        self._check_class(class_id)
        return [o for o in self.objects.values() if o["classId"] == class_id]

    def insert(self, kind: str, body: Json) -> Json:
        """POST (errors: 409 for a taken id, 404 for an object without its class)."""
        name = str(body.get("id", ""))
        self._check_id(name)
        if name in self._of(kind):
            msg = f"An object with ID {name} already exists."
            raise ErrorAnswer(409, "existingResource", msg)
        return self._keep(kind, {}, body)

    def patch(self, kind: str, name: str, body: Json) -> Json:
        """PATCH (updates: objects merge, arrays are replaced whole, null deletes)."""
        before = self.read(kind, name)
        return self._keep(kind, before, _merge(before, body))

    def put(self, kind: str, name: str, body: Json) -> Json:
        """PUT (updates: what is not sent is cleared)."""
        before = self.read(kind, name)
        return self._keep(kind, before, {"id": name} | body)

    def answer(self, kind: str, kept: Json) -> Json:
        """How Google writes it: enums in lowerCamel, whatever was sent (recorded)."""
        answer: Json = _lower_camel(kept) | {"kind": f"walletobjects#{kind}"}
        if kind == "loyaltyObject":
            answer.setdefault("hasUsers", False)
            answer["classReference"] = _lower_camel(self.classes[kept["classId"]])
        return answer

    def _keep(self, kind: str, before: Json, after: Json) -> Json:
        after = self._try_out(kind, before, after)
        # notifyPreference is ephemeral: it counts for this update only (reference).
        notify = after.pop("notifyPreference", None) == "NOTIFY_ON_UPDATE"
        if notify and before.get("hasUsers") and _rings(before, after):
            self._ring(after["id"])
        self._of(kind)[after["id"]] = after
        return after

    def _try_out(self, kind: str, before: Json, after: Json) -> Json:
        after = copy.deepcopy({k: v for k, v in after.items() if v is not None})
        problems = [f"{n} is required" for n in _REQUIRED[kind] if not after.get(n)]
        problems += self._check(kind, after) if self._check else []
        if problems:
            raise ErrorAnswer(400, "invalid", "; ".join(problems))
        if kind == "loyaltyClass":
            after["reviewStatus"] = _review(before, after)
        else:
            self._check_class(after["classId"])
        # Set by the platform, whatever is sent.
        after.pop("hasUsers", None)
        if "hasUsers" in before:
            after["hasUsers"] = before["hasUsers"]
        return after

    def _ring(self, name: str) -> None:
        # The 403 was recorded for messages; refusing an update as a whole is the worse
        # of the two things it could mean for updates.
        now = self._now()
        recent = [at for who, at in self.rings if who == name and now - at < _DAY]
        if len(recent) >= _RINGS_A_DAY:
            msg = f"Quota exceeded for issuer {self._issuer_id} when updating {name}."
            raise ErrorAnswer(403, "quotaExceeded", msg)
        self.rings.append((name, now))

    def _check_class(self, class_id: str) -> None:
        if class_id not in self.classes:
            raise ErrorAnswer(404, "classNotFound", f"Class {class_id} not found.")
        if self.classes[class_id]["reviewStatus"] == "DRAFT":
            raise ErrorAnswer(400, "invalid", f"Class {class_id} is a draft.")

    def _check_id(self, name: str) -> None:
        found = _ID.fullmatch(name)
        if found is None:
            raise ErrorAnswer(400, "badRequest", f"Invalid resource ID: {name}.")
        if found[1] != self._issuer_id:
            raise ErrorAnswer(403, "permissionDenied", "Permission denied.")

    def _of(self, kind: str) -> dict[str, Json]:
        return self.classes if kind == "loyaltyClass" else self.objects


def _merge(before: Any, change: Any) -> Any:
    if not isinstance(change, Mapping):
        return change
    merged = dict(before) if isinstance(before, Mapping) else {}
    for name, value in change.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merge(merged.get(name), value)
    return merged


def _review(before: Json, after: Json) -> str:
    wanted = str(after["reviewStatus"])
    if wanted not in {"UNDER_REVIEW", "underReview", "DRAFT", "draft"}:
        # Also the APPROVED that a GET gave: spatie/laravel-mobile-pass#71.
        msg = f"Invalid review status: {wanted}."
        raise ErrorAnswer(400, "invalidReviewStatus", msg)
    if wanted.upper() != "DRAFT":
        return "APPROVED"
    if before and before["reviewStatus"] != "DRAFT":
        raise ErrorAnswer(
            400, "invalidReviewStatus", "A class cannot be a draft again."
        )
    return "DRAFT"


def _rings(before: Json, after: Json) -> bool:
    # Of an object only these two fields notify (trigger-push-notifications).
    return any(
        (before.get(n) or {}).get("balance") != (after.get(n) or {}).get("balance")
        for n in _BALANCES
    )


def _lower_camel(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {k: _lower_camel(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_lower_camel(item) for item in value]
    if name in _ENUMS and isinstance(value, str) and value.isupper():
        first, *rest = value.lower().split("_")
        return first + "".join(word.capitalize() for word in rest)
    return value
