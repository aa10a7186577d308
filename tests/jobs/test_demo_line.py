"""LINE's stand-in, from the outside: as a bot calls it and as a bot is called."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import web
from linebot.v3 import WebhookParser
from linebot.v3.messaging import (
    AsyncApiClient,
    AsyncMessagingApi,
    Configuration,
    PushMessageRequest,
    ReplyMessageRequest,
    TextMessage,
)
from linebot.v3.messaging.exceptions import ApiException
from linebot.v3.oauth import AsyncApiClient as OAuthClient
from linebot.v3.oauth import AsyncChannelAccessToken
from linebot.v3.oauth import Configuration as OAuthConfiguration

from core.clock import Clock
from jobs.demo.line_events import signature
from jobs.demo.line_platform import LineStandIn

CHANNEL = "1234567890"
SECRET = "8c570fa6dd201bb328f1c1eac23a96d8"


class Bot:
    """A service that keeps what it was sent and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[bytes, str]] = []
        self.delay = 0.0

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(
            (await request.read(), request.headers.get("x-line-signature", ""))
        )
        await asyncio.sleep(self.delay)
        return web.Response(status=self.status)


@pytest.fixture
async def bot(aiohttp_server) -> AsyncIterator[tuple[Bot, str]]:
    found = Bot()
    app = web.Application()
    app.router.add_post("/line", found.take)
    server = await aiohttp_server(app)
    return found, str(server.make_url("/line"))


@pytest.fixture
async def line(bot) -> AsyncIterator[LineStandIn]:
    found = LineStandIn(Clock(), deadline=10)
    await found.start()
    found.add_channel(CHANNEL, SECRET, "@aozora", "U" + "a" * 32, bot[1], quota=2)
    yield found
    await found.stop()


@pytest.fixture
async def api(line) -> AsyncIterator[AsyncMessagingApi]:
    async with OAuthClient(OAuthConfiguration(host=line.url)) as oauth:
        token = await AsyncChannelAccessToken(oauth).issue_stateless_channel_token(
            grant_type="client_credentials", client_id=CHANNEL, client_secret=SECRET
        )
    setup = Configuration(host=line.url, access_token=token.access_token)
    async with AsyncApiClient(setup) as client:
        yield AsyncMessagingApi(client)


def test_the_signature_is_that_of_lines_own_example():
    body = b'{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}'
    assert signature(SECRET, body) == "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs="


async def test_what_people_do_arrives_as_webhooks_that_lines_own_parser_takes(
    line, bot
):
    mika = line.add_person("美香")
    for sent in (
        await line.follow(CHANNEL, mika),
        await line.say(CHANNEL, mika, "カード"),
        await line.postback(CHANNEL, mika, "a=card", display_text="カード"),
        await line.unfollow(CHANNEL, mika),
    ):
        assert sent.status == 200
    kinds = []
    for body, sign in bot[0].got:
        parsed = WebhookParser(SECRET).parse(body.decode(), sign, as_payload=True)
        (event,) = parsed.events
        assert event.source.user_id == mika
        kinds.append((event.type, hasattr(event, "reply_token")))
    assert kinds == [
        ("follow", True),
        ("message", True),
        ("postback", True),
        ("unfollow", False),
    ]


async def test_a_reply_token_is_good_once(line, api):
    mika = line.add_person("美香")
    sent = await line.say(CHANNEL, mika, "カード")
    ask = ReplyMessageRequest(
        replyToken=sent.events[0]["replyToken"], messages=[TextMessage(text="はい")]
    )
    answer = await api.reply_message(ask)
    (item,) = await line.wait_for_reply(CHANNEL, mika)
    assert (item.message_id, item.message["text"]) == (
        answer.sent_messages[0].id,
        "はい",
    )
    with pytest.raises(ApiException) as refused:
        await api.reply_message(ask)
    assert refused.value.status == 400
    assert "Invalid reply token" in refused.value.body
    assert len(line.chats[CHANNEL, mika]) == 2


async def test_a_reply_token_dies_after_a_minute_and_lives_again_when_redelivered(
    line, api, bot
):
    mika = line.add_person("美香")
    sent = await line.say(CHANNEL, mika, "カード")
    ask = ReplyMessageRequest(
        replyToken=sent.events[0]["replyToken"], messages=[TextMessage(text="はい")]
    )
    line.world.clock.offset = timedelta(seconds=61)
    with pytest.raises(ApiException, match="Invalid reply token"):
        await api.reply_message(ask)
    again = await line.redeliver(sent)
    assert again.events[0]["webhookEventId"] == sent.events[0]["webhookEventId"]
    assert again.events[0]["deliveryContext"] == {"isRedelivery": True}
    await api.reply_message(ask)


async def test_a_push_is_sent_once_for_one_retry_key(line, api):
    mika = line.add_person("美香")
    await line.follow(CHANNEL, mika)
    line.accept_then_500("/v2/bot/message/push")
    ask = PushMessageRequest(to=mika, messages=[TextMessage(text="お知らせ")])
    key = "123e4567-e89b-12d3-a456-426614174000"
    with pytest.raises(ApiException) as first:
        await api.push_message(ask, x_line_retry_key=key)
    with pytest.raises(ApiException) as second:
        await api.push_message(ask, x_line_retry_key=key)
    assert (first.value.status, second.value.status) == (500, 409)
    accepted = second.value.headers["x-line-accepted-request-id"]
    assert accepted == line.world.calls[-2].request_id
    assert [i.how for i in line.chats[CHANNEL, mika] if i.who == "bot"] == ["push"]


async def test_pushes_end_with_the_months_quota_and_blocked_people_cost_none(line, api):
    mika, ken = line.add_person("美香"), line.add_person("健")
    await line.follow(CHANNEL, mika)
    await line.follow(CHANNEL, ken)
    await line.unfollow(CHANNEL, ken)
    for person in (ken, mika, mika):
        await api.push_message(
            PushMessageRequest(to=person, messages=[TextMessage(text="お知らせ")])
        )
    assert (await api.get_message_quota_consumption()).total_usage == 2
    assert [i.who for i in line.chats[CHANNEL, ken]] == ["notice", "notice"]
    with pytest.raises(ApiException, match="monthly limit") as refused:
        await api.push_message(
            PushMessageRequest(to=mika, messages=[TextMessage(text="お知らせ")])
        )
    assert refused.value.status == 429


async def test_a_profile_is_known_of_friends_only(line, api):
    mika = line.add_person("Mika", "en")
    with pytest.raises(ApiException) as refused:
        await api.get_profile(mika)
    assert refused.value.status == 404
    await line.follow(CHANNEL, mika)
    found = await api.get_profile(mika)
    assert (found.display_name, found.language) == ("Mika", "en")


async def test_a_wrong_secret_and_an_old_token_are_refused(line, api):
    async with aiohttp.ClientSession() as web_client:
        answer = await web_client.post(
            f"{line.url}/oauth2/v3/token",
            data={
                "grant_type": "client_credentials",
                "client_id": CHANNEL,
                "client_secret": "wrong",
            },
        )
        assert answer.status == 400
        assert await answer.json() == {
            "error": "invalid_request",
            "error_description": "Invalid 'client_credentials'.",
        }
    assert (await api.get_bot_info()).basic_id == "@aozora"
    line.world.clock.offset = timedelta(minutes=16)
    with pytest.raises(ApiException) as refused:
        await api.get_bot_info()
    assert refused.value.status == 401
    assert refused.value.headers["x-line-request-id"]


@pytest.mark.parametrize(
    ("message", "where"),
    [
        ({"type": "text", "text": ""}, "messages[0].text"),
        ({"type": "text", "text": "あ" * 5001}, "messages[0].text"),
        ({"type": "flex", "contents": {"type": "bubble"}}, "messages[0].altText"),
        (
            {
                "type": "flex",
                "altText": "カード",
                "contents": {
                    "type": "bubble",
                    "body": {
                        "type": "box",
                        "layout": "vertical",
                        "contents": [],
                        "action": {"type": "uri", "uri": "javascript:alert(1)"},
                    },
                },
            },
            "messages[0].contents.body.action.uri",
        ),
    ],
)
async def test_a_bad_message_is_refused_with_the_place(line, api, message, where):
    mika = line.add_person("美香")
    sent = await line.say(CHANNEL, mika, "カード")
    body = {"replyToken": sent.events[0]["replyToken"], "messages": [message]}
    token = next(iter(line.world.access_tokens))
    async with aiohttp.ClientSession() as web_client:
        answer = await web_client.post(
            f"{line.url}/v2/bot/message/reply",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
        )
        problems = (await answer.json())["details"]
    assert answer.status == 400
    assert where in [problem["property"] for problem in problems]
    assert [item.who for item in line.chats[CHANNEL, mika]] == ["person"]


async def test_a_check_of_the_tests_own_refuses_too(line, api):
    mika = line.add_person("美香")
    line.world.check = lambda message: ["no cats"] if "猫" in str(message) else []
    sent = await line.say(CHANNEL, mika, "カード")
    ask = ReplyMessageRequest(
        replyToken=sent.events[0]["replyToken"], messages=[TextMessage(text="猫")]
    )
    with pytest.raises(ApiException, match="no cats"):
        await api.reply_message(ask)


async def test_the_webhook_address_is_set_and_tested(line, api, bot):
    from linebot.v3.messaging import SetWebhookEndpointRequest

    await api.set_webhook_endpoint(SetWebhookEndpointRequest(endpoint=bot[1]))
    assert (await api.get_webhook_endpoint()).endpoint == bot[1]
    tested = await api.test_webhook_endpoint()
    assert (tested.success, tested.reason) == (True, "OK")
    bot[0].status = 503
    tested = await api.test_webhook_endpoint()
    assert (tested.success, tested.reason) == (False, "ERROR_STATUS_CODE")
    assert bot[0].got[0][0].endswith(b'"events":[]}')


async def test_a_webhook_that_answers_late_is_noted_as_timed_out(bot):
    line = LineStandIn(Clock(), deadline=0.1)
    await line.start()
    line.add_channel(CHANNEL, SECRET, "@aozora", "U" + "a" * 32, bot[1])
    bot[0].delay = 0.5
    sent = await line.say(CHANNEL, line.add_person("美香"), "カード")
    await line.stop()
    assert (sent.status, sent.detail) == (0, "REQUEST_TIMEOUT")


async def test_a_menu_is_made_pictured_and_shown(line, api):
    from linebot.v3.messaging import (
        AsyncMessagingApiBlob,
        MessageAction,
        RichMenuArea,
        RichMenuBounds,
        RichMenuRequest,
        RichMenuSize,
    )

    from jobs.demo.line_menus import menu_for

    made = await api.create_rich_menu(
        RichMenuRequest(
            size=RichMenuSize(width=2500, height=843),
            selected=True,
            name="main",
            chatBarText="メニュー",
            areas=[
                RichMenuArea(
                    bounds=RichMenuBounds(x=0, y=0, width=1250, height=843),
                    action=MessageAction(label="カード", text="カード"),
                )
            ],
        )
    )
    with pytest.raises(ApiException, match="must upload"):
        await api.set_default_rich_menu(made.rich_menu_id)
    await AsyncMessagingApiBlob(api.api_client).set_rich_menu_image(
        made.rich_menu_id, b"\x89PNG", _headers={"Content-Type": "image/png"}
    )
    await api.set_default_rich_menu(made.rich_menu_id)
    shown = menu_for(line.world.channel(CHANNEL), line.add_person("美香"))
    assert shown is not None
    assert (shown.menu_id, shown.picture) == (made.rich_menu_id, b"\x89PNG")


async def test_faults_come_as_often_as_asked_for(line, api):
    line.fail_next("/v2/bot/info", 503, times=2)
    for _ in range(2):
        with pytest.raises(ApiException) as failed:
            await api.get_bot_info()
        assert failed.value.status == 503
    assert await api.get_bot_info()
    line.down = True
    with pytest.raises(aiohttp.ClientError):
        await api.get_bot_info()
