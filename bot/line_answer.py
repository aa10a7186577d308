"""One call through the SDK's client, and what LINE's answer to it means."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from core.errors import DeliveryError


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `status` 0 when nothing did, `failure` then names why."""

    status: int
    data: Any
    request_id: str
    failure: str = ""

    @property
    def is_good(self) -> bool:
        """True for every 2xx, whatever its body: LINE has accepted the call."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def text(self, name: str) -> str:
        """A field of the body; "" when it is missing or no text."""
        value = self.data.get(name) if isinstance(self.data, dict) else None
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int | None:
        """A whole number of the body; None when it is missing or none."""
        value = self.data.get(name) if isinstance(self.data, dict) else None
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return value if is_number else None

    @property
    def message(self) -> str:
        """LINE's own words for a refusal."""
        return self.failure or self.text("message") or self.text("error_description")

    @property
    def problem(self) -> str:
        """The message, and which property of which message is wrong."""
        details = self.data.get("details") if isinstance(self.data, dict) else None
        found = [
            f"{detail.get('property', '')}: {detail.get('message', '')}"
            for detail in (details if isinstance(details, list) else [])
            if isinstance(detail, dict)
        ]
        return "; ".join([self.message, *found])[:500]

    def check(self, path: str) -> None:
        """Raise `DeliveryError` unless the call was accepted.

        By status alone, since LINE's messages "aren't guaranteed":
        https://developers.line.biz/en/reference/messaging-api/#error-responses
        """
        if self.is_good:
            return
        transient = self.status in (
            0,
            HTTPStatus.REQUEST_TIMEOUT,
            HTTPStatus.TOO_MANY_REQUESTS,
        )
        raise DeliveryError(
            f"LINE {path}: {self.status} {self.problem}",
            permanent=not transient and self.status < HTTPStatus.INTERNAL_SERVER_ERROR,
            halts=self.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN),
        )


async def call(client: Any, method: str, path: str, **how: Any) -> Answer:
    """Call the SDK's `call_api`; whatever goes wrong becomes an `Answer`."""
    try:
        found = await client.call_api(
            path, method, response_types_map={"200": "object", "202": "object"}, **how
        )
    except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError) as error:
        return Answer(0, None, "", type(error).__name__)
    except Exception as error:
        # The SDK's ApiException; its class is not known before the SDK is loaded.
        status = getattr(error, "status", None)
        if not isinstance(status, int):
            raise
        return Answer(status, _json(getattr(error, "body", "")), _request_id(error))
    return Answer(found.status_code, found.data, _request_id(found))


def _json(body: Any) -> Any:
    try:
        return json.loads(body or "null")
    except (ValueError, TypeError):
        return None


def _request_id(carrier: Any) -> str:
    headers = carrier.headers or {}
    return str(headers.get("x-line-request-id", ""))
