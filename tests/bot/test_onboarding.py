"""What a channel's id and secret are enough for, against a LINE of our own."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.access import ChannelKey
from bot.line_api import LineApi
from bot.onboarding import REASONS, Seen, introduce, look_at, point_webhook
from core.config import Settings
from core.errors import Invalid
from core.wording import say
from jobs.demo.line_platform import LineStandIn
from tests.conftest import ManualClock

KEY = ChannelKey("1234567890", "the secret of the channel")


@pytest.fixture
async def line():
    found = LineStandIn(ManualClock(), deadline=0.3)
    await found.start()
    found.add_channel(KEY.channel_id, KEY.secret, "@aozora", "Ubot", name="あおぞら")
    yield found
    await found.stop()


@pytest.fixture
async def api(line):
    found = LineApi(Settings(line_api_url=line.url, line_data_api_url=line.url))
    yield found
    await found.close()


@pytest.fixture
async def hook():
    """Our own webhook; `answers` is what it says to each call."""

    async def answer(request):
        found = server.answers.pop(0) if server.answers else 200
        if found == 0:
            request.transport.abort()
        return web.Response(status=found or 200)

    app = web.Application()
    app.router.add_post("/line/aozora", answer)
    server = TestServer(app)
    server.answers = []
    await server.start_server()
    yield server
    await server.close()


async def test_a_channel_says_who_it_is(line, api):
    info = await introduce(api, KEY)
    assert (info.user_id, info.basic_id, info.name) == ("Ubot", "@aozora", "あおぞら")


@pytest.mark.parametrize("wrong", [("1234567890", "no"), ("999", KEY.secret)])
async def test_a_wrong_pair_is_the_secrets_problem(line, api, wrong):
    with pytest.raises(Invalid) as told:
        await introduce(api, ChannelKey(*wrong))
    assert told.value.problems == {"secret": ("line_setup.invalid.refused", {})}


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_trouble_at_line_is_nobodys_fault(line, api, status):
    line.fail_next("/oauth2", status)
    with pytest.raises(Invalid) as told:
        await introduce(api, KEY)
    assert told.value.problems == {"channel_id": ("line_setup.invalid.away", {})}


async def test_the_webhook_is_set_and_called(line, api, hook):
    url = str(hook.make_url("/line/aozora"))
    test = await point_webhook(api, KEY, url)
    assert (test.reason, test.status) == ("OK", 200)
    assert line.world.channel(KEY.channel_id).webhook_url == url
    (called,) = line.world.webhooks
    assert called.events == ()


async def test_each_way_to_fail_has_its_reason(line, api, hook):
    url = str(hook.make_url("/line/aozora"))
    hook.answers = [500, 0]
    found = await point_webhook(api, KEY, url)
    assert (found.reason, found.status) == ("ERROR_STATUS_CODE", 500)
    assert (await point_webhook(api, KEY, url)).reason == "COULD_NOT_CONNECT"
    assert (await point_webhook(api, KEY, "http://far.example/")).reason == "NOT_TAKEN"
    line.fail_next("/v2/bot/channel/webhook/test", 429)
    assert (await point_webhook(api, KEY, url)).reason == "NOT_ASKED"
    line.down = True
    assert (await point_webhook(api, KEY, url)).reason == "NOT_ASKED"


async def test_an_answer_of_line_that_nobody_knows_is_no_success(line, api, hook):
    body = {"success": True, "reason": "FINE_SO_FAR", "statusCode": "x"}
    line.fail_next("/v2/bot/channel/webhook/test", 200, body=body)
    found = await point_webhook(api, KEY, str(hook.make_url("/line/aozora")))
    assert (found.reason, found.status) == ("UNCLASSIFIED", 0)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_reason_has_its_words(language):
    for reason in REASONS:
        assert say(f"line_setup.reason.{reason}", language, status=500)


async def test_what_line_knows_is_seen(line, api):
    channel = line.world.channel(KEY.channel_id)
    seen = await look_at(api, KEY)
    assert seen.info is not None
    assert (seen.endpoint, seen.is_active, seen.problem) == ("", False, "")

    channel.webhook_url = "https://stamps.example.jp/line/aozora"
    seen = await look_at(api, KEY)
    assert (seen.endpoint, seen.is_active) == (channel.webhook_url, True)
    channel.uses_webhook = False
    assert not (await look_at(api, KEY)).is_active


async def test_what_cannot_be_seen_says_why(line, api, monkeypatch):
    assert await look_at(api, ChannelKey(KEY.channel_id, "no")) == Seen(
        problem="refused"
    )
    line.fail_next("/v2/bot/channel/webhook/endpoint", 500)
    assert await look_at(api, KEY) == Seen(problem="away")
    monkeypatch.setattr("bot.onboarding._LOOK_SECONDS", 0.1)
    line.slow(2, "/v2/bot/info")
    assert await look_at(api, KEY) == Seen(problem="away")
