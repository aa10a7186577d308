"""A stand-in for LINE: a real server with the Messaging API's own paths, and people
who follow, write and tap; what they do reaches the service as a signed webhook.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from aiohttp import web

from core.clock import Clock
from core.vault import new_digits, new_token
from jobs.demo import line_calls, line_events, line_menus, line_webhook
from jobs.demo.line_calls import WORLD
from jobs.demo.line_gate import gate
from jobs.demo.line_webhook import POSTMAN, Postman
from jobs.demo.line_world import (
    Channel,
    ChatItem,
    Fault,
    LineWorld,
    Person,
    Webhook,
)


class LineStandIn:
    """LINE on loopback. `world` holds what it knows; `url` is its address.

    `deadline` is how many seconds a webhook has to answer; LINE gives two.
    """

    def __init__(self, clock: Clock, deadline: float = line_webhook.DEADLINE) -> None:
        self.world = LineWorld(clock)
        self.url = ""
        self._deadline = deadline
        self._runner: web.AppRunner | None = None
        self._postman: Postman | None = None

    @property
    def chats(self) -> dict[tuple[str, str], list[ChatItem]]:
        """Every chat by (channel id, user id), oldest line first."""
        return self.world.chats

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; `url` is known afterwards."""
        self._postman = Postman(self.world, self._deadline)
        app = web.Application(middlewares=[gate], client_max_size=2 * 1024**2)
        app[WORLD] = self.world
        app[POSTMAN] = self._postman
        for part in (line_calls, line_menus, line_webhook):
            app.add_routes(part.routes)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close the server and every connection."""
        if self._postman is not None:
            await self._postman.close()
        if self._runner is not None:
            await self._runner.cleanup()

    # --- who there is -----------------------------------------------------------

    def add_channel(
        self,
        channel_id: str,
        secret: str,
        basic_id: str,
        bot_user_id: str,
        webhook_url: str = "",
        *,
        name: str = "",
        quota: int | None = 200,
    ) -> Channel:
        """A Messaging API channel; without `webhook_url` it stays silent."""
        channel = Channel(
            channel_id=channel_id,
            secret=secret,
            basic_id=basic_id,
            bot_user_id=bot_user_id,
            name=name or basic_id.removeprefix("@"),
            webhook_url=webhook_url,
            quota=quota,
        )
        self.world.channels[channel_id] = channel
        return channel

    def add_person(self, name: str, language: str = "ja") -> str:
        """A LINE account; its user id."""
        person = Person(user_id=f"U{uuid.uuid4().hex}", name=name, language=language)
        self.world.people[person.user_id] = person
        return person.user_id

    # --- what people do: each sends a webhook and returns how it was taken ----------

    async def follow(self, channel_id: str, user_id: str) -> Webhook:
        """Add the bot as a friend, or unblock it."""
        person = self.world.people[user_id]
        again = channel_id in person.met
        person.friends.add(channel_id)
        person.met.add(channel_id)
        self.world.write(channel_id, user_id, "notice", "follow", {})
        return await self._happen(
            channel_id, user_id, "follow", follow={"isUnblocked": again}
        )

    async def unfollow(self, channel_id: str, user_id: str) -> Webhook:
        """Block the bot."""
        self.world.people[user_id].friends.discard(channel_id)
        self.world.write(channel_id, user_id, "notice", "unfollow", {})
        return await self._happen(channel_id, user_id, "unfollow")

    async def say(self, channel_id: str, user_id: str, text: str) -> Webhook:
        """Send a text message."""
        self.world.people[user_id].met.add(channel_id)
        line = {"type": "text", "text": text}
        item = self.world.write(channel_id, user_id, "person", "text", line)
        message = {
            "type": "text",
            "id": item.message_id,
            "quoteToken": new_token(24),
            "markAsReadToken": new_token(24),
            "text": text,
        }
        return await self._happen(channel_id, user_id, "message", message=message)

    async def send_place(
        self, channel_id: str, user_id: str, latitude: float, longitude: float
    ) -> Webhook:
        """Send a location, as the quick reply for it does."""
        place = {"latitude": latitude, "longitude": longitude}
        line = {"type": "location", "title": "位置情報", "address": "", **place}
        item = self.world.write(channel_id, user_id, "person", "text", line)
        message = {"type": "location", "id": item.message_id, **place}
        return await self._happen(channel_id, user_id, "message", message=message)

    async def unsend(self, channel_id: str, user_id: str, message_id: str) -> Webhook:
        """Take back a message of one's own."""
        chat = self.world.chat(channel_id, user_id)
        chat[:] = [item for item in chat if item.message_id != message_id]
        self.world.bell.ring()
        told = {"messageId": message_id}
        return await self._happen(channel_id, user_id, "unsend", unsend=told)

    async def postback(
        self,
        channel_id: str,
        user_id: str,
        data: str,
        *,
        display_text: str = "",
        params: dict[str, str] | None = None,
    ) -> Webhook:
        """Tap a button that carries `data`."""
        line = {"type": "text", "text": display_text} if display_text else {}
        self.world.write(channel_id, user_id, "person", "postback", line)
        found: dict[str, Any] = {"data": data}
        if params:
            found["params"] = params
        return await self._happen(channel_id, user_id, "postback", postback=found)

    async def deliver(self, channel_id: str, events: list[dict[str, Any]]) -> Webhook:
        """One webhook with these `events` (of any people), as they are."""
        if self._postman is None:
            raise RuntimeError("the stand-in has not been started")
        return await self._postman.deliver(self.world.channel(channel_id), events)

    async def redeliver(self, sent: Webhook) -> Webhook:
        """The same events once more, marked so; their reply tokens are good again."""
        again = [line_events.redelivered(event) for event in sent.events]
        for event in again:
            if token := event.get("replyToken"):
                self.world.renew_reply_token(token)
        return await self.deliver(sent.channel_id, again)

    def event(
        self,
        channel_id: str,
        user_id: str,
        kind: str,
        *,
        at: datetime | None = None,
        **own: Any,
    ) -> dict[str, Any]:
        """An event as LINE writes it, not sent yet; for batches and odd orders."""
        token = None
        if kind not in ("unfollow", "unsend"):
            token = self.world.new_reply_token(channel_id, user_id)
        at = at or self.world.clock.now()
        return line_events.event(kind, user_id, at, token, **own)

    def text_event(self, channel_id: str, user_id: str, text: str) -> dict[str, Any]:
        """A text message as an event, not sent yet and in no chat."""
        self.world.people[user_id].met.add(channel_id)
        message = {"type": "text", "id": new_digits(18), "text": text}
        message["quoteToken"] = new_token(24)
        return self.event(channel_id, user_id, "message", message=message)

    async def _happen(
        self, channel_id: str, user_id: str, kind: str, **own: Any
    ) -> Webhook:
        event = self.event(channel_id, user_id, kind, **own)
        channel = self.world.channel(channel_id)
        if not channel.webhook_url or not channel.uses_webhook:
            return Webhook(
                channel_id=channel_id, events=(event,), status=0, seconds=0.0
            )
        return await self.deliver(channel_id, [event])

    # --- what comes back ------------------------------------------------------------

    async def wait_for_reply(
        self,
        channel_id: str,
        user_id: str,
        *,
        after: int | None = None,
        timeout: float = 5.0,  # noqa: ASYNC109 -- a test's deadline
    ) -> list[ChatItem]:
        """The bot's lines since the person's last one, or since line number `after`.

        Waits until there is at least one (a reply's messages come all at once);
        TimeoutError after `timeout` seconds.
        """

        def look() -> list[ChatItem] | None:
            chat = self.world.chat(channel_id, user_id)
            since = after if after is not None else _last_said(chat)
            return [item for item in chat[since:] if item.who == "bot"] or None

        return await self.world.bell.until(look, timeout)

    # --- what goes wrong --------------------------------------------------------------

    def fail_next(
        self,
        path: str = "/v2/bot/message/",
        status: int = 500,
        *,
        times: int = 1,
        body: dict[str, Any] | None = None,
    ) -> None:
        """The next `times` calls whose path starts with `path` fail and do nothing."""
        self._break(path=path, kind="fail", times=times, status=status, body=body or {})

    def accept_then_500(
        self, path: str = "/v2/bot/message/", *, times: int = 1
    ) -> None:
        """The next calls are done, and then answered with 500."""
        self._break(path=path, kind="accept_then_fail", times=times)

    def slow(
        self, seconds: float, path: str = "/v2/bot/message/", *, times: int = 1
    ) -> None:
        """The next calls take `seconds` longer."""
        self._break(path=path, kind="slow", times=times, seconds=seconds)

    def cut_next(self, path: str = "/v2/bot/message/", *, times: int = 1) -> None:
        """The next calls lose their connection unanswered."""
        self._break(path=path, kind="cut", times=times)

    def forget_access_tokens(self) -> None:
        """Every access token is refused from now on, as after a reissued secret."""
        self.world.access_tokens.clear()

    @property
    def down(self) -> bool:
        """True: every call loses its connection unanswered."""
        return self.world.down

    @down.setter
    def down(self, is_down: bool) -> None:
        self.world.down = is_down

    def _break(self, **how: Any) -> None:
        self.world.faults.append(Fault(**how))


def _last_said(chat: list[ChatItem]) -> int:
    for index in range(len(chat) - 1, -1, -1):
        if chat[index].who != "bot":
            return index + 1
    return 0
