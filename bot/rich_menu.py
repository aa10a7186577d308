"""The rich menu under the chat: made from the card's look, put up once, kept current.

Each language has its menu. The shop's first language is everybody's; friends who read
another are linked to theirs one by one, since their language is known from their
profile. (Switching by alias would need a tap, a fifth area, and would leave the
answers in the language of before.)
https://developers.line.biz/en/docs/messaging-api/using-rich-menus/
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import datetime
from http import HTTPStatus
from typing import Any

import structlog

from bot.access import ChannelKey, channel_key
from bot.line_api import LineApi
from bot.menu_picture import HEIGHT, WIDTH, column, draw_menu
from core.actions.menus import (
    MenuWork,
    channels_behind,
    friends_who_read,
    keep_menus,
    load_menu_work,
    reader_of_menu,
    want_menu,
)
from core.actions.outbox import Delivery
from core.clock import Clock
from core.database import Database
from core.errors import DeliveryError, Unsealable
from core.rules.types import Language
from core.vault import Vault
from core.wording import say

# Counts up with each change in how menus look or what they do.
REVISION = 1

# How soon a new look is noticed.
LOOK_EVERY = 10.0

# What stands in the areas, from left to right; the dialogue knows each as "a=…".
AREAS = ("card", "member", "vouchers", "help")

_MENUS = "/v2/bot/richmenu"
_MENU = f"{_MENUS}/{{menu}}"
_PICTURE = f"{_MENU}/content"
_FOR_ALL = "/v2/bot/user/all/richmenu/{menu}"
_FOR_ONE = "/v2/bot/user/{user}/richmenu/{menu}"
_FOR_MANY = f"{_MENUS}/bulk/link"
_MANY = 500
_OURS = "stampcard "

Menu = dict[str, Any]

log = structlog.get_logger()


def menu_body(language: Language, digest: str) -> Menu:
    """The menu as LINE wants it. Its name says that it is ours, and which one."""
    areas = []
    for index, topic in enumerate(AREAS):
        left, width = column(index)
        word = say(f"line_setup.menu.{topic}", language)
        action = {
            "type": "postback",
            "label": word,
            "data": f"a={topic}",
            "displayText": word,
        }
        bounds = {"x": left, "y": 0, "width": width, "height": HEIGHT}
        areas.append({"bounds": bounds, "action": action})
    return {
        "size": {"width": WIDTH, "height": HEIGHT},
        "selected": True,
        "name": f"{_OURS}{digest} {language}",
        "chatBarText": say("line_setup.menu.bar", language),
        "areas": areas,
    }


def menu_digest(picture: bytes, languages: tuple[Language, ...]) -> str:
    """12 hexadecimal digits that change with anything that a friend could see."""
    found = hashlib.sha256(picture)
    for language in languages:
        found.update(json.dumps(menu_body(language, ""), sort_keys=True).encode())
    return found.hexdigest()[:12]


class RichMenus:
    """Notices whose menu is behind (`run` until `stop`), and puts menus up (`deliver`).

    Noticing only writes into the outbox; LINE is called by whoever empties that.
    """

    def __init__(self, db: Database, vault: Vault, api: LineApi, clock: Clock) -> None:
        self._db = db
        self._vault = vault
        self._api = api
        self._clock = clock
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Look for menus that are behind, now and every few seconds."""
        while not self._stopped.is_set():
            await self.look()
            try:
                async with asyncio.timeout(LOOK_EVERY):
                    await self._stopped.wait()
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Let `run` return."""
        self._stopped.set()

    async def look(self) -> None:
        """Have every menu that is behind brought up to date, each once."""
        for merchant_id in await self._db.read(channels_behind, REVISION):
            await self._db.write(want_menu, merchant_id, REVISION, self._clock.now())

    async def deliver(self, delivery: Delivery, now: datetime) -> None:
        """Bring a topic "menu:…" up to date. Raises `DeliveryError`."""
        whose = delivery.topic.removeprefix("menu:")
        work = await self._db.read(load_menu_work, delivery.merchant_id)
        if work is None:
            return
        try:
            key = channel_key(work.channel, self._vault)
        except Unsealable as error:
            raise DeliveryError(str(error), permanent=True, halts=True) from error
        if whose == delivery.merchant_id:
            await self._put_up(work, key, now)
        else:
            await self._show_own(work, key, whose)

    async def _put_up(self, work: MenuWork, key: ChannelKey, now: datetime) -> None:
        merchant = work.channel.merchant
        picture = await asyncio.to_thread(draw_menu, work.look)
        digest = menu_digest(picture, merchant.languages)
        if digest == work.digest:
            return
        known = await self._ours(key)
        ids: dict[Language, str] = {}
        for language in merchant.languages:
            body = menu_body(language, digest)
            menu_id = known.get(body["name"]) or await self._create(key, body)
            await self._give_picture(key, menu_id, picture)
            ids[language] = menu_id
        common, *others = merchant.languages
        await self._call(key, "POST", _FOR_ALL, {"menu": ids[common]})
        for language in others:
            friends = await self._db.read(friends_who_read, merchant.id, language)
            await self._link(key, ids[language], friends)
        for old in set(known.values()) - set(ids.values()):
            await self._remove(key, old)
        # Last: until it is noted, a next try does all of it again, to the same end.
        await self._db.write(keep_menus, merchant.id, key.channel_id, ids, digest, now)
        log.info("line_menu_put_up", merchant=merchant.key, digest=digest)

    async def _show_own(self, work: MenuWork, key: ChannelKey, whose: str) -> None:
        merchant_id = work.channel.merchant.id
        reader = await self._db.read(reader_of_menu, merchant_id, whose)
        if reader is None or reader.line_user_id is None:
            return
        if (menu_id := work.ids.get(reader.language)) is None:
            return
        params = {"user": reader.line_user_id, "menu": menu_id}
        answer = await self._api.ask(key, "POST", _FOR_ONE, params)
        # The menu was just replaced by a newer one, and they are among its friends.
        if answer.status != HTTPStatus.NOT_FOUND:
            answer.check(_FOR_ONE)

    async def _ours(self, key: ChannelKey) -> dict[str, str]:
        """The ids of the menus that we made, by name; not those of anybody else."""
        path = f"{_MENUS}/list"
        data = await self._call(key, "GET", path)
        listed = data.get("richmenus") if isinstance(data, dict) else None
        return {
            menu["name"]: menu["richMenuId"]
            for menu in listed or []
            if str(menu.get("name", "")).startswith(_OURS)
        }

    async def _create(self, key: ChannelKey, body: Menu) -> str:
        data = await self._call(key, "POST", _MENUS, body=body)
        menu_id = data.get("richMenuId") if isinstance(data, dict) else None
        if not isinstance(menu_id, str):
            raise DeliveryError(f"LINE {_MENUS}: no id in the answer")
        return menu_id

    async def _give_picture(
        self, key: ChannelKey, menu_id: str, picture: bytes
    ) -> None:
        answer = await self._api.ask(
            key,
            "POST",
            _PICTURE,
            {"menu": menu_id},
            body=picture,
            headers={"Content-Type": "image/png"},
            data_host=True,
        )
        # A menu's picture is given once; an earlier try may have done it.
        if answer.status != HTTPStatus.BAD_REQUEST:
            answer.check(_PICTURE)

    async def _link(self, key: ChannelKey, menu_id: str, friends: list[str]) -> None:
        for first in range(0, len(friends), _MANY):
            some = friends[first : first + _MANY]
            body = {"richMenuId": menu_id, "userIds": some}
            await self._call(key, "POST", _FOR_MANY, body=body)

    async def _remove(self, key: ChannelKey, menu_id: str) -> None:
        answer = await self._api.ask(key, "DELETE", _MENU, {"menu": menu_id})
        if answer.status != HTTPStatus.NOT_FOUND:
            answer.check(_MENU)

    async def _call(
        self,
        key: ChannelKey,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        *,
        body: Menu | None = None,
    ) -> Any:
        answer = await self._api.ask(key, method, path, params, body=body)
        answer.check(path)
        return answer.data
