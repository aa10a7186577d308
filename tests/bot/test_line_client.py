"""One client for all channels: how many calls it has open at once."""

from __future__ import annotations

import asyncio

from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.access import ChannelKey
from bot.line_api import LineApi
from core.config import Settings

AT_ONCE, CALLS = 100, 130


class Crowded:
    """A LINE that answers nobody until a hundred calls are open."""

    def __init__(self) -> None:
        self.n_open, self.n_most = 0, 0
        self.is_full = asyncio.Event()

    async def token(self, _request: web.Request) -> web.Response:
        answer = {"token_type": "Bearer", "access_token": "t", "expires_in": 900}
        return web.json_response(answer)

    async def info(self, _request: web.Request) -> web.Response:
        self.n_open += 1
        self.n_most = max(self.n_most, self.n_open)
        if self.n_open == AT_ONCE:
            self.is_full.set()
        await self.is_full.wait()
        self.n_open -= 1
        return web.json_response({"userId": "U1", "basicId": "@a", "displayName": "a"})


async def test_a_hundred_calls_of_all_channels_are_open_at_once_and_no_more():
    line, app = Crowded(), web.Application()
    app.router.add_post("/oauth2/v3/token", line.token)
    app.router.add_get("/v2/bot/info", line.info)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        api = LineApi(Settings(line_api_url=url, line_data_api_url=url))
        keys = [ChannelKey(f"{n % 3}", "a secret") for n in range(CALLS)]
        found = await asyncio.gather(*(api.bot_info(key) for key in keys))
        await api.close()

    assert len(found) == CALLS
    assert line.n_most == AT_ONCE
