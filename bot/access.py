"""Access to LINE's API per channel: one short-lived token, minted once for everybody.

Stateless tokens live 15 minutes and cannot be revoked, any number may be issued:
https://developers.line.biz/en/docs/basics/channel-access-token/
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from core.actions.channels import LINE_SECRET, LineChannel
from core.vault import Vault, hash_token

# A token is dropped this long before its end, so that none expires on the way.
_MARGIN = 120.0


@dataclass(frozen=True, slots=True)
class ChannelKey:
    """A Messaging API channel's id and secret: all that LINE asks for a token."""

    channel_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """A channel access token and how many seconds it lives."""

    value: str = field(repr=False)
    lives: float


def channel_key(channel: LineChannel, vault: Vault) -> ChannelKey:
    """Open the channel's secret. Raises `Unsealable`."""
    secret = vault.open(channel.sealed_secret, channel.merchant.id, LINE_SECRET)
    return ChannelKey(channel.channel_id, secret)


class Tokens:
    """Keeps the current token of each channel. Belongs to one event loop.

    `mint` asks LINE for a fresh one; many who need it at once wait for one call and
    share its outcome, the failure too.
    """

    def __init__(self, mint: Callable[[ChannelKey], Awaitable[Token]]) -> None:
        self._mint = mint
        self._known: dict[tuple[str, str], tuple[str, float]] = {}
        self._minting: dict[tuple[str, str], asyncio.Task[str]] = {}

    async def get(self, key: ChannelKey) -> str:
        """A token that lives for two minutes at least. Raises `DeliveryError`."""
        place = _place(key)
        value, until = self._known.get(place, ("", 0.0))
        if until > asyncio.get_running_loop().time():
            return value
        if place not in self._minting:
            task = asyncio.create_task(self._fetch(key, place))
            self._minting[place] = task
            task.add_done_callback(_look_at)
        return await asyncio.shield(self._minting[place])

    def forget(self, key: ChannelKey, value: str) -> None:
        """LINE refused this token: the next `get` mints another."""
        place = _place(key)
        if self._known.get(place, ("", 0.0))[0] == value:
            del self._known[place]

    async def _fetch(self, key: ChannelKey, place: tuple[str, str]) -> str:
        try:
            token = await self._mint(key)
        finally:
            del self._minting[place]
        until = asyncio.get_running_loop().time() + token.lives - _MARGIN
        self._known[place] = (token.value, until)
        return token.value


def _place(key: ChannelKey) -> tuple[str, str]:
    # By the secret too: the token of a replaced secret must not live on.
    return key.channel_id, hash_token(key.secret)


def _look_at(task: asyncio.Task[str]) -> None:
    # A failure that nobody waits for any more must not be reported as forgotten.
    if not task.cancelled():
        task.exception()
