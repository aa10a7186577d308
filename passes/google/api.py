"""Calls of the Google Wallet REST API, and what its answers mean.

https://developers.google.com/wallet/reference/rest and, for errors,
https://developers.google.com/wallet/retail/loyalty-cards/resources/error-codes
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import aiohttp
import structlog

from core.config import Settings
from core.errors import DeliveryError
from passes.google.account import ServiceAccount
from passes.google.oauth import AccessTokens
from passes.google.pace import Pace

Kind = Literal["loyaltyClass", "loyaltyObject", "issuer"]
CLASS: Kind = "loyaltyClass"
OBJECT: Kind = "loyaltyObject"
_ISSUER: Kind = "issuer"
# "exists": an insert found its id taken; "missing": no such object, or no such class.
Outcome = Literal["done", "exists", "missing"]

# "disabled": the API is off in the account's own project at Google Cloud.
IssuerSeen = Literal["ok", "disabled", "uninvited", "unknown"]

# How many objects of a class are listed at once.
PAGE = 500

_TIMEOUT = aiohttp.ClientTimeout(total=8)
_OFF_REASONS = {"accessNotConfigured", "SERVICE_DISABLED"}
_RATE_REASONS = {"rateLimitExceeded", "userRateLimitExceeded", "concurrentLimitReached"}
_OK, _MULTIPLE = 200, 300
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT = 401, 403, 404, 409
_TIMED_OUT, _TOO_MANY, _SERVER = 408, 429, 500

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: dict[str, Any]
    retry_after: float | None

    @property
    def reason(self) -> str:
        """What tells a missing permission from a used-up quota: both are 403."""
        errors = _error(self.body).get("errors")
        first = errors[0] if isinstance(errors, list) and errors else {}
        return str(first.get("reason", "")) if isinstance(first, dict) else ""

    @property
    def message(self) -> str:
        return str(_error(self.body).get("message", ""))[:200]

    @property
    def is_rate_limited(self) -> bool:
        return self.status == _TOO_MANY or (
            self.status == _FORBIDDEN and self.reason in _RATE_REASONS
        )


class GoogleApi:
    """Inserts, patches, replaces and reads classes and objects of any issuer.

    Every call raises DeliveryError: `halts` where the service account is refused,
    `permanent` where the body is, neither where the same may work later.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        settings: Settings,
        now: Callable[[], datetime],
    ) -> None:
        self._session = session
        self._base = f"{settings.google_wallet_url}/walletobjects/v1"
        self._tokens = AccessTokens(session, settings.google_token_url, now)
        self._paces: dict[str, Pace] = {}

    async def insert(
        self, account: ServiceAccount, kind: Kind, body: Mapping[str, Any]
    ) -> Outcome:
        """POST a new class or object. "missing": the object's class is not there."""
        answer = await self._call(account, "POST", kind, body["id"], body)
        return "exists" if answer.status == _CONFLICT else _outcome(answer)

    async def patch(
        self,
        account: ServiceAccount,
        kind: Kind,
        resource_id: str,
        body: Mapping[str, Any],
        *,
        at_leisure: bool = False,
    ) -> Outcome:
        """Merge `body` into it: arrays are replaced whole, null deletes.

        Where the budget of notifications is used up, Google refuses the whole update:
        then it is repeated at once without one.
        """
        slow = at_leisure
        answer = await self._call(account, "PATCH", kind, resource_id, body, slow=slow)
        if answer.reason == "quotaExceeded" and "notifyPreference" in body:
            log.info("google_notification_budget_spent", resource=resource_id)
            quiet = {k: v for k, v in body.items() if k != "notifyPreference"}
            answer = await self._call(account, "PATCH", kind, resource_id, quiet)
        return _outcome(answer)

    async def update(
        self,
        account: ServiceAccount,
        kind: Kind,
        body: Mapping[str, Any],
        *,
        at_leisure: bool = False,
    ) -> Outcome:
        """PUT it: everything that `body` does not name is cleared."""
        name, slow = body["id"], at_leisure
        return _outcome(await self._call(account, "PUT", kind, name, body, slow=slow))

    async def list_objects(
        self, account: ServiceAccount, class_id: str
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """All objects of a class, page by page, with `id` and `hasUsers` only."""
        query = {
            "classId": class_id,
            "maxResults": str(PAGE),
            "fields": "pagination,resources(id,hasUsers)",
        }
        while True:
            answer = await self._call(
                account, "GET", OBJECT, class_id, None, query=query, slow=True
            )
            if _outcome(answer) == "missing":
                return
            found = answer.body.get("resources")
            yield [each for each in found or () if isinstance(each, dict)]
            token = (answer.body.get("pagination") or {}).get("nextPageToken")
            if not token or token == query.get("token"):
                return
            query["token"] = str(token)

    async def get(
        self, account: ServiceAccount, kind: Kind, resource_id: str
    ) -> dict[str, Any] | None:
        """What Google has, or None. Enums come as lowerCamel, whatever was sent."""
        answer = await self._call(account, "GET", kind, resource_id, None)
        return answer.body if _outcome(answer) == "done" else None

    async def sign_in(self, account: ServiceAccount) -> None:
        """Get an access token, unless there is one. DeliveryError where none is given,
        which `halts` where Google does not know the key.
        """
        await self._tokens.get(account)

    async def see_issuer(self, account: ServiceAccount, issuer_id: str) -> IssuerSeen:
        """May the account write for this issuer? DeliveryError without an answer."""
        answer = await self._call(account, "GET", _ISSUER, issuer_id, None)
        if answer.status == _FORBIDDEN and not answer.is_rate_limited:
            is_off = answer.reason in _OFF_REASONS or "disabled" in answer.message
            return "disabled" if is_off else "uninvited"
        return "ok" if _outcome(answer) == "done" else "unknown"

    async def _call(
        self,
        account: ServiceAccount,
        method: str,
        kind: Kind,
        resource_id: str,
        body: Mapping[str, Any] | None,
        *,
        query: Mapping[str, str] | None = None,
        slow: bool = False,
    ) -> _Answer:
        url = f"{self._base}/{kind}"
        if method != "POST" and query is None:
            url = f"{url}/{resource_id}"
        pace = self._paces.setdefault(resource_id.partition(".")[0], Pace())
        take = pace.take_at_leisure if slow else pace.take
        await take()
        answer = await self._send(account, method, url, body, query)
        if answer.status == _UNAUTHORIZED:
            await take()
            answer = await self._send(account, method, url, body, query)
        if answer.is_rate_limited:
            pace.slow_down()
        return answer

    async def _send(
        self,
        account: ServiceAccount,
        method: str,
        url: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, str] | None,
    ) -> _Answer:
        token = await self._tokens.get(account)
        try:
            async with self._session.request(
                method,
                url,
                params=query,
                json=body,
                headers={"Authorization": f"Bearer {token}"},
                timeout=_TIMEOUT,
                allow_redirects=False,
            ) as response:
                answer = await _read(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            # Unknown outcome: safe to repeat, since every body is the whole state.
            msg = f"Google Wallet: {type(error).__name__}"
            raise DeliveryError(msg) from None
        if answer.status == _UNAUTHORIZED:
            self._tokens.forget(account, token)
        return answer


async def _read(response: aiohttp.ClientResponse) -> _Answer:
    try:
        body = await response.json(content_type=None)
    except ValueError:
        body = {}
    wait = response.headers.get("Retry-After", "")
    return _Answer(
        status=response.status,
        body=body if isinstance(body, dict) else {},
        retry_after=float(wait) if wait.isdecimal() else None,
    )


def _outcome(answer: _Answer) -> Outcome:
    if _OK <= answer.status < _MULTIPLE:
        return "done"
    if answer.status == _NOT_FOUND:
        return "missing"
    raise _failure(answer)


def _failure(answer: _Answer) -> DeliveryError:
    msg = f"Google Wallet answered {answer.status} {answer.reason}: {answer.message}"
    if answer.status == _UNAUTHORIZED:
        return DeliveryError(msg, halts=True)
    may_pass = (
        answer.is_rate_limited
        or answer.reason == "quotaExceeded"
        or answer.status in {_TIMED_OUT, _CONFLICT}
        or answer.status >= _SERVER
    )
    if may_pass:
        return DeliveryError(msg, retry_after=answer.retry_after)
    if answer.status == _FORBIDDEN:
        return DeliveryError(msg, halts=True)
    return DeliveryError(msg, permanent=True)


def _error(body: Mapping[str, Any]) -> dict[str, Any]:
    error = body.get("error")
    return error if isinstance(error, dict) else {}
