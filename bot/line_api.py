"""LINE's Messaging API: the only module that knows the SDK, which it loads lazily.

Calls go as plain dictionaries through the SDK's one client, four times as fast as its
typed methods. LINE keeps no logs for us, so each call is logged as it asks:
https://developers.line.biz/en/docs/messaging-api/development-guidelines/
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from importlib import import_module
from typing import Any

import aiohttp
import structlog

from bot.access import ChannelKey, Token, Tokens
from bot.limits import cut_label
from bot.line_answer import Answer, call
from core.config import Settings
from core.errors import DeliveryError
from core.rules.asking import LinePerson
from core.wording import pick_language

log = structlog.get_logger()

_JSON = {"Accept": "application/json", "Content-Type": "application/json"}
_FORM = _JSON | {"Content-Type": "application/x-www-form-urlencoded"}
_TOKEN_LIFE = 900.0
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BotInfo:
    """The channel's own account. `has_human`: somebody answers chats by hand.

    `picture_url` is "" for an account without a picture.
    """

    user_id: str
    basic_id: str
    name: str
    has_human: bool
    picture_url: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """Pushes a month (`limit` None: as many as wanted), and this month's so far."""

    limit: int | None
    used: int


class LineApi:
    """All channels of all merchants through one client. Belongs to one event loop.

    `seconds` is the longest that a call may take, `connect_seconds` its connecting,
    `at_once` how many connections are open at most.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        seconds: float = 8.0,
        connect_seconds: float = 3.0,
        at_once: int = 100,
    ) -> None:
        self._hosts = {
            False: settings.line_api_url.rstrip("/"),
            True: settings.line_data_api_url.rstrip("/"),
        }
        self._timeout = aiohttp.ClientTimeout(
            total=seconds, sock_connect=connect_seconds
        )
        self._at_once = at_once
        self._clients: dict[bool, Any] = {}
        self._opening = asyncio.Lock()
        self._tokens = Tokens(self._mint)

    async def open(self) -> None:
        """Load the SDK now, so that the first customer need not wait for it."""
        await self._client(data_host=False)

    async def reply(
        self, key: ChannelKey, token: str, messages: Sequence[dict[str, Any]]
    ) -> bool:
        """Answer an event. False when LINE says that the token is used or too old.

        The token is its own idempotency key: after a failure that is not permanent,
        call again with the same one; False then means that the first call arrived.
        Raises `DeliveryError`.
        """
        body = {"replyToken": token, "messages": list(messages)}
        path = "/v2/bot/message/reply"
        answer = await self.ask(key, "POST", path, body=body)
        if (
            answer.status == HTTPStatus.BAD_REQUEST
            and "reply token" in answer.message.lower()
        ):
            return False
        answer.check(path)
        return True

    async def push(
        self,
        key: ChannelKey,
        user_id: str,
        messages: Sequence[dict[str, Any]],
        retry_key: str,
    ) -> bool:
        """Send without an event; counted. False when the month's limit is reached.

        `retry_key` is a UUID; again with the same one and the same messages within 24
        hours sends nothing twice. Raises `DeliveryError`.
        """
        path = "/v2/bot/message/push"
        body = {"to": user_id, "messages": list(messages)}
        headers = {"X-Line-Retry-Key": retry_key}
        answer = await self.ask(key, "POST", path, body=body, headers=headers)
        if answer.status == HTTPStatus.CONFLICT:
            # An earlier try with this key was accepted.
            return True
        # Three causes share the status; only the text tells them apart.
        is_429 = answer.status == HTTPStatus.TOO_MANY_REQUESTS
        if is_429 and "monthly limit" in answer.message.lower():
            return False
        answer.check(path)
        return True

    async def quota(self, key: ChannelKey) -> Quota:
        """What is left of the month, in two calls. Raises `DeliveryError`."""
        path = "/v2/bot/message/quota"
        allowed = await self.ask(key, "GET", path)
        allowed.check(path)
        spent = await self.ask(key, "GET", f"{path}/consumption")
        spent.check(f"{path}/consumption")
        used = spent.number("totalUsage")
        limit = allowed.number("value")
        is_limited = allowed.text("type") != "none"
        if used is None or (is_limited and limit is None):
            raise DeliveryError(f"LINE {path}: no number in the answer")
        return Quota(limit=limit if is_limited else None, used=used)

    async def profile(self, key: ChannelKey, user_id: str) -> LinePerson | None:
        """Name and language; None for who blocked us. Raises `DeliveryError`."""
        path = "/v2/bot/profile/{userId}"
        answer = await self.ask(key, "GET", path, {"userId": user_id})
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        answer.check(path)
        language = answer.text("language")
        return LinePerson(
            user_id=user_id,
            name=_printable(answer.text("displayName")),
            language=pick_language(language) if language else None,
        )

    async def bot_info(self, key: ChannelKey) -> BotInfo:
        """Who the channel is; also the test of its id and secret. `DeliveryError`."""
        path = "/v2/bot/info"
        answer = await self.ask(key, "GET", path)
        answer.check(path)
        return BotInfo(
            user_id=answer.text("userId"),
            basic_id=answer.text("basicId"),
            name=_printable(answer.text("displayName")),
            has_human=answer.text("chatMode") == "chat",
            picture_url=answer.text("pictureUrl"),
        )

    async def start_loading(self, key: ChannelKey, user_id: str, seconds: int) -> None:
        """Show the dots in a person's chat, until our next message or for `seconds`.

        LINE takes 5, 10, … 60. Raises `DeliveryError`.
        """
        path = "/v2/bot/chat/loading/start"
        body = {"chatId": user_id, "loadingSeconds": seconds}
        (await self.ask(key, "POST", path, body=body)).check(path)

    async def leave(self, key: ChannelKey, kind: str, place: str) -> None:
        """Leave a "group" or "room". Raises `DeliveryError`."""
        path = f"/v2/bot/{kind}/{{id}}/leave"
        (await self.ask(key, "POST", path, {"id": place})).check(path)

    async def ask(
        self,
        key: ChannelKey,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        *,
        body: Any = None,
        headers: dict[str, str] | None = None,
        data_host: bool = False,
    ) -> Answer:
        """Any call, with a token; minted again once when LINE refuses it.

        `path` has {blanks} for `params`; `body` is JSON, or bytes with a Content-Type
        among `headers`; `data_host` is where pictures go. Raises `DeliveryError` only
        when no token can be had.
        """
        answer = Answer(0, None, "", "not asked")
        for _ in range(2):
            token = await self._tokens.get(key)
            answer = await self._send(
                method,
                path,
                key.channel_id,
                data_host=data_host,
                path_params=params,
                header_params=_JSON | (headers or {}),
                body=body,
                auth_settings=["Bearer"],
                _request_auth=_bearer(token),
            )
            if answer.status != HTTPStatus.UNAUTHORIZED:
                break
            self._tokens.forget(key, token)
        return answer

    async def close(self) -> None:
        """Let go of the connections."""
        for client in self._clients.values():
            await client.close()
        self._clients.clear()

    async def _mint(self, key: ChannelKey) -> Token:
        path = "/oauth2/v3/token"
        form = [
            ("grant_type", "client_credentials"),
            ("client_id", key.channel_id),
            ("client_secret", key.secret),
        ]
        answer = await self._send(
            "POST", path, key.channel_id, header_params=dict(_FORM), post_params=form
        )
        if answer.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED):
            text = f"LINE refused the id or secret of channel {key.channel_id}"
            raise DeliveryError(text, permanent=True, halts=True)
        answer.check(path)
        token = answer.text("access_token")
        if not token:
            raise DeliveryError(f"LINE {path}: no token in the answer")
        lives = answer.data.get("expires_in")
        return Token(token, float(lives) if isinstance(lives, int) else _TOKEN_LIFE)

    async def _send(
        self,
        method: str,
        path: str,
        channel_id: str,
        *,
        data_host: bool = False,
        **how: Any,
    ) -> Answer:
        client = await self._client(data_host=data_host)
        answer = await call(client, method, path, _request_timeout=self._timeout, **how)
        write = log.info if answer.is_good else log.warning
        write(
            "line_call",
            channel=channel_id,
            method=method,
            endpoint=path,
            status=answer.status,
            request_id=answer.request_id,
            **({} if answer.is_good else {"problem": answer.problem}),
        )
        return answer

    async def _client(self, *, data_host: bool) -> Any:
        async with self._opening:
            if data_host not in self._clients:
                # The import takes a second: never in the event loop.
                sdk = await asyncio.to_thread(import_module, "linebot.v3.messaging")
                setup = sdk.Configuration(host=self._hosts[data_host], access_token="")
                setup.connection_pool_maxsize = self._at_once
                client = sdk.AsyncApiClient(setup)
                # Each call brings its own channel's token.
                del client.default_headers["Authorization"]
                self._clients[data_host] = client
            return self._clients[data_host]


def _printable(text: str) -> str:
    # A name may hold what no database takes (U+0000) or what turns a line around.
    text = text[: 4 * _LONGEST_NAME].encode("utf-8", "replace").decode()
    shown = "".join(c for c in text if c.isprintable() or c == "\u200d").strip()
    return cut_label(shown, _LONGEST_NAME)


def _bearer(token: str) -> dict[str, str]:
    value = f"Bearer {token}"
    return {"type": "bearer", "in": "header", "key": "Authorization", "value": value}
