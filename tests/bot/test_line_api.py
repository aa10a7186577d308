"""Calls to LINE, against a LINE of our own that is in all kinds of trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from bot.access import ChannelKey, Token, Tokens
from bot.line_api import LineApi
from core.config import Settings
from core.errors import DeliveryError
from jobs.demo.line_platform import LineStandIn
from tests.conftest import ManualClock

KEY = ChannelKey("1234567890", "the secret of the channel")
TEXT = [{"type": "text", "text": "はい"}]


@pytest.fixture
async def line() -> AsyncIterator[LineStandIn]:
    found = LineStandIn(ManualClock())
    await found.start()
    found.add_channel(KEY.channel_id, KEY.secret, "@aozora", "Ubot", name="あおぞら")
    yield found
    await found.stop()


@pytest.fixture
async def api(line: LineStandIn) -> AsyncIterator[LineApi]:
    found = LineApi(Settings(line_api_url=line.url, line_data_api_url=line.url))
    yield found
    await found.close()


def reply_token(line: LineStandIn) -> tuple[str, str]:
    user_id = line.add_person("美香")
    line.world.people[user_id].met.add(KEY.channel_id)
    return user_id, line.world.new_reply_token(KEY.channel_id, user_id)


def paths(line: LineStandIn) -> list[str]:
    return [call.path for call in line.world.calls]


async def test_a_reply_reaches_the_chat_once(line: LineStandIn, api: LineApi):
    user_id, token = reply_token(line)
    assert await api.reply(KEY, token, TEXT) is True
    assert await api.reply(KEY, token, TEXT) is False
    (item,) = line.world.chat(KEY.channel_id, user_id)
    assert item.message == TEXT[0]


async def test_many_at_once_wait_for_one_access_token(line: LineStandIn, api: LineApi):
    line.slow(0.2, "/oauth2")
    tokens = [reply_token(line)[1] for _ in range(40)]
    done = await asyncio.gather(*(api.reply(KEY, t, TEXT) for t in tokens))
    assert all(done)
    assert paths(line).count("/oauth2/v3/token") == 1


async def test_two_channels_have_their_own_tokens(line: LineStandIn, api: LineApi):
    other = ChannelKey("999", "another secret")
    line.add_channel("999", other.secret, "@other", "Uother")
    first, second = await asyncio.gather(api.bot_info(KEY), api.bot_info(other))
    assert (first.user_id, second.user_id) == ("Ubot", "Uother")


async def test_a_refused_access_token_is_minted_again_once(
    line: LineStandIn, api: LineApi
):
    await api.bot_info(KEY)
    line.forget_access_tokens()
    assert await api.reply(KEY, reply_token(line)[1], TEXT)
    assert paths(line).count("/oauth2/v3/token") == 2
    line.fail_next("/v2/bot/info", 401, times=5)
    with pytest.raises(DeliveryError) as refused:
        await api.bot_info(KEY)
    assert refused.value.halts
    assert paths(line).count("/v2/bot/info") == 3


async def test_a_wrong_secret_halts_the_channel_and_is_not_in_the_error(
    line: LineStandIn, api: LineApi
):
    with pytest.raises(DeliveryError) as refused:
        await api.bot_info(ChannelKey(KEY.channel_id, "wrong"))
    assert refused.value.permanent
    assert refused.value.halts
    assert "wrong" not in str(refused.value)
    assert "wrong" not in repr(ChannelKey(KEY.channel_id, "wrong"))


@pytest.mark.parametrize(
    ("status", "permanent", "halts"),
    [
        (400, True, False),
        (403, True, True),
        (404, True, False),
        (408, False, False),
        (413, True, False),
        (429, False, False),
        (500, False, False),
        (503, False, False),
    ],
)
async def test_what_a_status_means(
    line: LineStandIn, api: LineApi, status: int, permanent: bool, halts: bool
):
    line.fail_next("/v2/bot/message/reply", status)
    with pytest.raises(DeliveryError) as failed:
        await api.reply(KEY, reply_token(line)[1], TEXT)
    assert (failed.value.permanent, failed.value.halts) == (permanent, halts)


async def test_a_wrong_message_names_its_property(line: LineStandIn, api: LineApi):
    with pytest.raises(DeliveryError, match=r"messages\[0\]\.text"):
        await api.reply(KEY, reply_token(line)[1], [{"type": "text", "text": ""}])


@pytest.mark.parametrize("trouble", ["cut", "down", "slow", "token down"])
async def test_no_answer_is_a_failure_to_be_tried_again(
    line: LineStandIn, api: LineApi, trouble: str
):
    api._timeout = aiohttp.ClientTimeout(total=2)
    token = reply_token(line)[1]
    if trouble == "cut":
        line.cut_next()
    elif trouble == "slow":
        line.slow(3)
    elif trouble == "token down":
        line.cut_next("/oauth2")
    else:
        line.down = True
    with pytest.raises(DeliveryError) as failed:
        await api.reply(KEY, token, TEXT)
    assert not failed.value.permanent
    line.down = False
    assert await api.reply(KEY, token, TEXT)


async def test_when_tokens_cannot_be_had_nobody_waits_in_line_for_a_time_out(
    line: LineStandIn, api: LineApi
):
    line.fail_next("/oauth2", 503)
    line.slow(0.2, "/oauth2")
    tokens = [reply_token(line)[1] for _ in range(20)]
    done = await asyncio.gather(
        *(api.reply(KEY, t, TEXT) for t in tokens), return_exceptions=True
    )
    assert all(isinstance(one, DeliveryError) for one in done)
    assert paths(line).count("/oauth2/v3/token") == 1


async def test_a_profile_gives_name_and_language(line: LineStandIn, api: LineApi):
    user_id = line.add_person("み\u0000か\u202e☕", "en-GB")
    assert await api.profile(KEY, user_id) is None
    line.world.people[user_id].met.add(KEY.channel_id)
    person = await api.profile(KEY, user_id)
    assert person is not None
    assert (person.name, person.language) == ("みか☕", "en")
    line.world.people[user_id].language = ""
    person = await api.profile(KEY, user_id)
    assert person is not None
    assert person.language is None


async def test_the_bot_tells_who_it_is_and_whether_people_answer(
    line: LineStandIn, api: LineApi
):
    info = await api.bot_info(KEY)
    assert (info.user_id, info.basic_id, info.name) == ("Ubot", "@aozora", "あおぞら")
    assert not info.has_human
    line.world.channel(KEY.channel_id).chat_mode = "chat"
    assert (await api.bot_info(KEY)).has_human


async def test_each_call_is_logged_as_line_asks_and_without_secrets(
    line: LineStandIn, api: LineApi
):
    user_id, token = reply_token(line)
    with capture_logs() as logs:
        await api.profile(KEY, user_id)
        await api.reply(KEY, token, TEXT)
        line.fail_next(status=500)
        with pytest.raises(DeliveryError):
            await api.reply(KEY, token, TEXT)
    calls = [e for e in logs if e["event"] == "line_call"]
    assert [(c["method"], c["endpoint"], c["status"]) for c in calls] == [
        ("POST", "/oauth2/v3/token", 200),
        ("GET", "/v2/bot/profile/{userId}", 200),
        ("POST", "/v2/bot/message/reply", 200),
        ("POST", "/v2/bot/message/reply", 500),
    ]
    ids = [call.request_id for call in line.world.calls]
    assert [c["request_id"] for c in calls] == ids
    said = str(logs)
    for secret in [KEY.secret, token, *line.world.access_tokens]:
        assert secret not in said


async def test_odd_answers_are_no_surprise(line: LineStandIn):
    """A 2xx counts as taken whatever its body; a proxy's error page is an error."""
    bodies = [(200, b""), (200, b"<html>"), (502, b"<html>\xff"), (202, b"{}")]

    async def token(_request: web.Request) -> web.Response:
        return web.json_response({"access_token": "t", "expires_in": 900})

    async def reply(_request: web.Request) -> web.Response:
        status, body = bodies.pop(0)
        return web.Response(status=status, body=body)

    app = web.Application()
    app.router.add_post("/oauth2/v3/token", token)
    app.router.add_post("/v2/bot/message/reply", reply)
    async with TestServer(app) as server:
        url = str(server.make_url(""))
        api = LineApi(Settings(line_api_url=url, line_data_api_url=url))
        assert await api.reply(KEY, "r", TEXT)
        assert await api.reply(KEY, "r", TEXT)
        with pytest.raises(DeliveryError) as failed:
            await api.reply(KEY, "r", TEXT)
        assert not failed.value.permanent
        assert await api.reply(KEY, "r", TEXT)
        await api.close()


async def test_a_picture_goes_to_the_data_host_as_bytes(line: LineStandIn):
    elsewhere = "http://127.0.0.1:9"
    api = LineApi(Settings(line_api_url=line.url, line_data_api_url=elsewhere))
    answer = await api.ask(
        KEY,
        "POST",
        "/v2/bot/richmenu/{id}/content",
        {"id": "richmenu-1"},
        body=b"\x89PNG",
        headers={"Content-Type": "image/png"},
        data_host=True,
    )
    assert (answer.status, answer.failure) == (0, "ClientConnectorError")
    await api.close()


async def test_a_token_is_renewed_before_it_ends_and_after_the_secret_changed():
    minted: list[str] = []

    async def mint(key: ChannelKey) -> Token:
        minted.append(key.secret)
        return Token(f"token {len(minted)}", 120.0 if len(minted) == 1 else 900.0)

    tokens = Tokens(mint)
    # Two minutes before its end a token is not used any more.
    assert await tokens.get(KEY) == "token 1"
    assert await tokens.get(KEY) == "token 2"
    assert await tokens.get(KEY) == "token 2"
    assert await tokens.get(ChannelKey(KEY.channel_id, "new")) == "token 3"
    # A refusal of an old token does not throw the new one away.
    tokens.forget(KEY, "token 1")
    assert await tokens.get(KEY) == "token 2"
    tokens.forget(KEY, "token 2")
    assert await tokens.get(KEY) == "token 4"


async def test_who_gives_up_waiting_for_a_token_takes_it_from_nobody():
    gate = asyncio.Event()

    async def mint(_key: ChannelKey) -> Token:
        await gate.wait()
        return Token("token", 900.0)

    tokens = Tokens(mint)
    first, second = (asyncio.create_task(tokens.get(KEY)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    gate.set()
    assert await second == "token"
    assert first.cancelled()
