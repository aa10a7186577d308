"""Google's public keys for callbacks, kept until they expire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import aiohttp

from core.errors import DeliveryError
from passes.google.callback import RootKey, read_root_keys

# A new root key is noticed within a day even while the old one lives on for years.
_LONGEST = timedelta(days=1)
# The door is public: whoever knocks must not be able to make us knock at Google's.
_PAUSE = timedelta(minutes=1)
_TIMEOUT = aiohttp.ClientTimeout(total=8)
_OK = 200
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class RootKeys:
    """The keys of one address. A signature that fails never causes a request."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, now: Callable[[], datetime]
    ) -> None:
        self._session = session
        self._url = url
        self._now = now
        self._keys: list[RootKey] = []
        self._until = _LONG_AGO
        self._tried_at = _LONG_AGO
        self._lock = asyncio.Lock()

    async def get(self) -> list[RootKey]:
        """The keys. DeliveryError while none could be fetched."""
        async with self._lock:
            now = self._now()
            if now >= self._until and now - self._tried_at >= _PAUSE:
                self._tried_at = now
                await self._renew(now)
        current = [k for k in self._keys if k.expires_at is None or k.expires_at > now]
        if not current:
            raise DeliveryError("Google's callback keys are not at hand")
        return current

    async def _renew(self, now: datetime) -> None:
        try:
            async with self._session.get(self._url, timeout=_TIMEOUT) as response:
                data = await response.json(content_type=None)
                is_ok = response.status == _OK
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return
        keys = read_root_keys(data) if is_ok and isinstance(data, dict) else []
        if keys:
            ends = [key.expires_at for key in keys if key.expires_at is not None]
            self._keys = keys
            self._until = min([now + _LONGEST, *(end for end in ends if end > now)])
