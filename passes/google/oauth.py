"""Access tokens for a service account, by the JWT-bearer grant.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aiohttp
import structlog

from core.errors import DeliveryError
from passes.google.account import ServiceAccount, sign_jwt

SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"
# Google checks this audience whatever address the request is sent to.
AUDIENCE = "https://oauth2.googleapis.com/token"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EARLY = timedelta(minutes=5)
_LIFE = timedelta(hours=1)
_TIMEOUT = aiohttp.ClientTimeout(total=8)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_BUSY = 429
_SERVER = 500

log = structlog.get_logger()


@dataclass(slots=True)
class _Kept:
    token: str = ""
    until: datetime = _LONG_AGO
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class AccessTokens:
    """One token a service account, kept until five minutes before its end.

    Many callers at once cause one request (single flight).
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        token_url: str,
        now: Callable[[], datetime],
    ) -> None:
        self._session = session
        self._token_url = token_url
        self._now = now
        self._kept: dict[tuple[str, str], _Kept] = {}

    async def get(self, account: ServiceAccount) -> str:
        """A token that is good for some minutes at least. Raises DeliveryError."""
        kept = self._kept.setdefault((account.email, account.key_id), _Kept())
        async with kept.lock:
            if self._now() >= kept.until:
                kept.token, lifetime = await self._fetch(account)
                kept.until = self._now() + max(lifetime - EARLY, lifetime / 2)
            return kept.token

    def forget(self, account: ServiceAccount, token: str) -> None:
        """Google refused `token`: the next caller fetches another one."""
        kept = self._kept.get((account.email, account.key_id))
        # Another caller may have renewed it in the meantime; that one is good.
        if kept is not None and kept.token == token:
            kept.until = _LONG_AGO

    async def _fetch(self, account: ServiceAccount) -> tuple[str, timedelta]:
        now = self._now()
        claims = {
            "iss": account.email,
            "scope": SCOPE,
            "aud": AUDIENCE,
            "iat": int(now.timestamp()),
            "exp": int((now + _LIFE).timestamp()),
        }
        form = {"grant_type": GRANT, "assertion": sign_jwt(account, claims)}
        try:
            async with self._session.post(
                self._token_url, data=form, timeout=_TIMEOUT, allow_redirects=False
            ) as response:
                answer = await _json(response)
                status = response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            msg = f"Google's token service: {type(error).__name__}"
            raise DeliveryError(msg) from None
        token, lifetime = answer.get("access_token"), answer.get("expires_in")
        if isinstance(token, str) and isinstance(lifetime, int | float):
            log.info("google_token_fetched", account=account.email)
            return token, timedelta(seconds=lifetime)
        raise _refusal(status, answer)


async def _json(response: aiohttp.ClientResponse) -> dict[str, object]:
    try:
        answer = await response.json(content_type=None)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _refusal(status: int, answer: dict[str, object]) -> DeliveryError:
    reason = f"{answer.get('error', '')} {answer.get('error_description', '')}".strip()
    # invalid_grant and the like: a deleted key or account, or a clock that is off.
    is_ours = status not in {408, _BUSY} and status < _SERVER
    return DeliveryError(
        f"Google's token service answered {status} {reason[:200]}", halts=is_ours
    )
