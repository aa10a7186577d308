"""What LINE's platform knows in the stand-in: channels, people, chats and tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from ulid import ULID

from core.clock import Clock
from core.vault import new_digits, new_token
from jobs.demo.bell import Bell

Who = Literal["person", "bot", "notice"]
How = Literal["reply", "push", "text", "postback", "follow", "unfollow"]

TOKEN_LIFE = timedelta(seconds=900)
REPLY_LIFE = timedelta(minutes=1)
REDELIVERED_LIFE = timedelta(minutes=20)
RETRY_KEY_LIFE = timedelta(hours=24)


@dataclass(slots=True, kw_only=True)
class Channel:
    """A Messaging API channel. `quota` is pushes a month, None for no limit;
    `uses_webhook` is the console's switch, which has no API.
    """

    channel_id: str
    secret: str
    basic_id: str
    bot_user_id: str
    name: str
    webhook_url: str
    quota: int | None = 200
    n_pushed: int = 0
    chat_mode: str = "bot"
    uses_webhook: bool = True
    picture: bytes = b""
    menus: dict[str, RichMenu] = field(default_factory=dict)
    default_menu: str | None = None
    menu_aliases: dict[str, str] = field(default_factory=dict)
    menu_of_person: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class RichMenu:
    """A rich menu as it was created, with its picture once that was uploaded."""

    menu_id: str
    body: dict[str, Any]
    picture: bytes = b""
    picture_type: str = ""


@dataclass(slots=True, kw_only=True)
class Person:
    """A LINE account; `friends` are the ids of the channels it follows."""

    user_id: str
    name: str
    language: str
    friends: set[str] = field(default_factory=set)
    met: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatItem:
    """One line of a chat, from either side, as a LINE message object."""

    message_id: str
    who: Who
    how: How
    at: datetime
    message: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class ReplyToken:
    """Good for one reply, for about a minute."""

    channel_id: str
    user_id: str
    made_at: datetime
    good_until: datetime
    is_used: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the service to the platform."""

    method: str
    path: str
    status: int
    request_id: str
    channel_id: str
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One delivery to a webhook: `status` 0 means that no answer came in time."""

    channel_id: str
    events: tuple[dict[str, Any], ...]
    status: int
    seconds: float
    detail: str = ""


@dataclass(slots=True, kw_only=True)
class Fault:
    """Something that goes wrong on paths that start with `path`, `times` times."""

    path: str
    kind: Literal["fail", "slow", "accept_then_fail", "cut"]
    times: int
    status: int = 500
    seconds: float = 0.0
    body: dict[str, Any] = field(default_factory=dict)


class LineWorld:
    """Everything at once; `check` may refuse a message with reasons of its own."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.bell = Bell()
        self.channels: dict[str, Channel] = {}
        self.people: dict[str, Person] = {}
        self.chats: dict[tuple[str, str], list[ChatItem]] = {}
        self.access_tokens: dict[str, tuple[str, datetime]] = {}
        self.reply_tokens: dict[str, ReplyToken] = {}
        self.retry_keys: dict[str, tuple[datetime, str, list[dict[str, str]]]] = {}
        self.typing: dict[tuple[str, str], datetime] = {}
        self.calls: list[Call] = []
        self.webhooks: list[Webhook] = []
        self.faults: list[Fault] = []
        self.down = False
        self.check: Callable[[dict[str, Any]], list[str]] | None = None

    def channel(self, channel_id: str) -> Channel:
        """The channel of that id; KeyError when it was never added."""
        return self.channels[channel_id]

    def chat(self, channel_id: str, user_id: str) -> list[ChatItem]:
        """The chat of a person with a channel, oldest first."""
        return self.chats.setdefault((channel_id, user_id), [])

    def write(
        self, channel_id: str, user_id: str, who: Who, how: How, message: dict[str, Any]
    ) -> ChatItem:
        """Put a line into a chat and tell everybody who watches."""
        item = ChatItem(
            message_id=new_digits(18),
            who=who,
            how=how,
            at=self.clock.now(),
            message=message,
        )
        self.chat(channel_id, user_id).append(item)
        if who == "bot":
            self.typing.pop((channel_id, user_id), None)
        self.bell.ring()
        return item

    def new_access_token(self, channel_id: str) -> str:
        """A fresh stateless channel access token; lives 15 minutes."""
        token = new_token()
        self.access_tokens[token] = (channel_id, self.clock.now() + TOKEN_LIFE)
        return token

    def new_reply_token(self, channel_id: str, user_id: str) -> str:
        """A fresh reply token, as events carry it."""
        token = ULID.from_datetime(self.clock.now()).hex
        now = self.clock.now()
        self.reply_tokens[token] = ReplyToken(
            channel_id=channel_id,
            user_id=user_id,
            made_at=now,
            good_until=now + REPLY_LIFE,
        )
        return token

    def renew_reply_token(self, token: str) -> None:
        """A redelivered event's token is good again: a minute, within 20 minutes."""
        known = self.reply_tokens[token]
        known.good_until = min(
            self.clock.now() + REPLY_LIFE, known.made_at + REDELIVERED_LIFE
        )
