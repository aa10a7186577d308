"""Event streams themselves: silence, failures and readers that go."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from webhooks import live
from webhooks.keys import DB


@pytest.fixture
async def stream(db, monkeypatch):
    """Opens a stream of what the test's own `load` gives."""
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.05)
    app = web.Application()
    app[DB] = db
    live.set_up_live(app)

    async def handler(request):
        return await live.event_stream(request, {"topic"}, app_load[0])

    app.router.add_get("/", handler)
    app_load = [None]

    async with TestClient(TestServer(app)) as client:

        def open_stream(load):
            app_load[0] = load
            return client.get("/")

        yield open_stream, app


async def test_a_silent_stream_is_kept_open_by_comments(stream):
    open_stream, _ = stream

    async def load():
        return "same"

    async with asyncio.timeout(10), open_stream(load) as answer:
        assert await answer.content.readuntil(b"data: same\n\n")
        for _ in range(3):
            assert await answer.content.readline() == b": still here\n"
            assert await answer.content.readline() == b"\n"


async def test_several_lines_arrive_as_one_event(stream):
    open_stream, _ = stream

    async def load():
        return "one\ntwo"

    async with asyncio.timeout(10), open_stream(load) as answer:
        assert await answer.content.readuntil(b"data: one\ndata: two\n\n")


async def test_a_stream_that_fails_midway_ends_so_that_the_browser_returns(stream):
    open_stream, _ = stream
    answers = iter(["first"])

    async def load():
        return next(answers)  # the second is a failure: StopIteration

    async with asyncio.timeout(10), open_stream(load) as answer:
        assert answer.status == 200
        assert b"first" in await answer.content.read()


async def test_nothing_to_say_at_all_tells_the_browser_to_stay_away(stream):
    open_stream, _ = stream

    async def load():
        return None

    async with open_stream(load) as answer:
        assert answer.status == 204


async def test_a_reader_who_goes_is_not_read_for_any_longer(stream):
    open_stream, app = stream
    count = 0

    async def load():
        nonlocal count
        count += 1
        return str(count)

    async with asyncio.timeout(10):
        async with open_stream(load) as answer:
            await answer.content.readuntil(b"data: 1\n\n")
            (reading,) = app[live.STREAMS].tasks
            answer.close()
        await asyncio.wait({reading})
    assert reading.done()
