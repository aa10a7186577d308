"""LINE's Messaging API as the service calls it: tokens, messages, profile, webhook.

Paths, statuses and bodies are those of
https://developers.line.biz/en/reference/messaging-api/
"""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

from aiohttp import web

from jobs.demo.line_limits import check_messages
from jobs.demo.line_world import RETRY_KEY_LIFE, Channel, How, LineWorld

WORLD = web.AppKey("WORLD", LineWorld)
CHANNEL = web.RequestKey("CHANNEL", Channel)
REQUEST_ID = web.RequestKey("REQUEST_ID", str)
routes = web.RouteTableDef()


@routes.post("/oauth2/v3/token")
async def issue_token(request: web.Request) -> web.Response:
    """A stateless channel access token for an id and its secret."""
    form = await request.post()
    world = request.app[WORLD]
    channel = world.channels.get(str(form.get("client_id")))
    if form.get("grant_type") != "client_credentials":
        return _bad_token("Invalid 'grant_type'.")
    if channel is None or channel.secret != form.get("client_secret"):
        return _bad_token("Invalid 'client_credentials'.")
    token = world.new_access_token(channel.channel_id)
    return web.json_response(
        {"token_type": "Bearer", "access_token": token, "expires_in": 900}
    )


@routes.get("/v2/bot/info")
async def bot_info(request: web.Request) -> web.Response:
    """Who the bot is."""
    channel = request[CHANNEL]
    return web.json_response(
        {
            "userId": channel.bot_user_id,
            "basicId": channel.basic_id,
            "displayName": channel.name,
            "chatMode": channel.chat_mode,
            "markAsReadMode": "auto",
            **({"pictureUrl": _picture_url(request)} if channel.picture else {}),
        }
    )


@routes.get("/account/{channel_id}/picture")
async def account_picture(request: web.Request) -> web.Response:
    """The account's picture, as LINE's content servers give it to anybody."""
    channel = request.app[WORLD].channels.get(request.match_info["channel_id"])
    if channel is None or not channel.picture:
        return refuse(404, "Not found")
    return web.Response(body=channel.picture, content_type="image/jpeg")


@routes.get("/v2/bot/profile/{user_id}")
async def profile(request: web.Request) -> web.Response:
    """Name and language; 404 for strangers and for people who blocked the bot."""
    person = request.app[WORLD].people.get(request.match_info["user_id"])
    channel_id = request[CHANNEL].channel_id
    if person is None or channel_id not in person.friends | person.met:
        return refuse(404, "Not found")
    return web.json_response(
        {
            "userId": person.user_id,
            "displayName": person.name,
            "language": person.language,
        }
    )


@routes.post("/v2/bot/message/reply")
async def reply(request: web.Request) -> web.Response:
    """Answer an event, once, within its minute."""
    if "X-Line-Retry-Key" in request.headers:
        return refuse(400, "The retry key is not supported for this API")
    body = await request.json()
    world, channel = request.app[WORLD], request[CHANNEL]
    if (wrong := _wrong(world, body)) is not None:
        return wrong
    token = world.reply_tokens.get(str(body.get("replyToken")))
    now = world.clock.now()
    if (
        token is None
        or token.channel_id != channel.channel_id
        or token.is_used
        or now > token.good_until
    ):
        return refuse(400, "Invalid reply token")
    token.is_used = True
    return _sent(_write(world, channel, token.user_id, "reply", body["messages"]))


@routes.post("/v2/bot/message/push")
async def push(request: web.Request) -> web.Response:
    """Send without an event; counted, and safe to repeat under one retry key."""
    body = await request.json()
    world, channel = request.app[WORLD], request[CHANNEL]
    key = request.headers.get("X-Line-Retry-Key")
    if key is not None and not _is_uuid(key):
        return refuse(400, "Invalid retry key")
    known = world.retry_keys.get(f"{channel.channel_id} {key}")
    if key and known and world.clock.now() - known[0] < RETRY_KEY_LIFE:
        answer = {"message": "The retry key is already accepted"}
        return web.json_response(
            {**answer, "sentMessages": known[2]},
            status=409,
            headers={"x-line-accepted-request-id": known[1]},
        )
    if (wrong := _wrong(world, body)) is not None:
        return wrong
    if channel.quota is not None and channel.n_pushed >= channel.quota:
        return refuse(429, "You have reached your monthly limit.")
    person = world.people.get(str(body.get("to")))
    if person is None:
        return refuse(400, "Failed to send messages")
    sent = [{"id": str(uuid.uuid4().int)[:18]} for _ in body["messages"]]
    # To somebody who blocked the bot: 200, nothing delivered, nothing counted.
    if channel.channel_id in person.friends:
        channel.n_pushed += 1
        sent = _write(world, channel, person.user_id, "push", body["messages"])
    if key:
        world.retry_keys[f"{channel.channel_id} {key}"] = (
            world.clock.now(),
            request[REQUEST_ID],
            sent,
        )
    return _sent(sent)


@routes.post("/v2/bot/message/validate/{kind:reply|push|multicast|broadcast}")
async def validate(request: web.Request) -> web.Response:
    """Would these messages be taken? Sends nothing."""
    wrong = _wrong(request.app[WORLD], await request.json())
    return wrong if wrong is not None else web.json_response({})


@routes.get("/v2/bot/message/quota")
async def quota(request: web.Request) -> web.Response:
    """Pushes a month."""
    limit = request[CHANNEL].quota
    if limit is None:
        return web.json_response({"type": "none"})
    return web.json_response({"type": "limited", "value": limit})


@routes.get("/v2/bot/message/quota/consumption")
async def consumption(request: web.Request) -> web.Response:
    """Pushes this month."""
    return web.json_response({"totalUsage": request[CHANNEL].n_pushed})


@routes.post("/v2/bot/chat/loading/start")
async def start_loading(request: web.Request) -> web.Response:
    """Show the dots until the answer comes."""
    body = await request.json()
    seconds = body.get("loadingSeconds", 20)
    if seconds not in range(5, 61, 5) or "chatId" not in body:
        return refuse(400, "The value of loadingSeconds must be a multiple of 5")
    world = request.app[WORLD]
    until = world.clock.now() + timedelta(seconds=seconds)
    world.typing[(request[CHANNEL].channel_id, str(body["chatId"]))] = until
    world.bell.ring()
    return web.json_response({}, status=202)


@routes.post("/v2/bot/chat/markAsRead")
@routes.post("/v2/bot/group/{group}/leave")
@routes.post("/v2/bot/room/{group}/leave")
async def accept(_request: web.Request) -> web.Response:
    """Taken without further effect."""
    return web.json_response({})


def refuse(
    status: int, message: str, details: list[dict[str, str]] | None = None
) -> web.Response:
    """An error as LINE words it."""
    body: dict[str, Any] = {"message": message}
    if details:
        body["details"] = details
    return web.json_response(body, status=status)


def _picture_url(request: web.Request) -> str:
    return str(request.url.with_path(f"/account/{request[CHANNEL].channel_id}/picture"))


def _bad_token(description: str) -> web.Response:
    return web.json_response(
        {"error": "invalid_request", "error_description": description}, status=400
    )


def _wrong(world: LineWorld, body: Any) -> web.Response | None:
    messages = body.get("messages") if isinstance(body, dict) else None
    details = check_messages(messages)
    if not details and world.check is not None and isinstance(messages, list):
        for index, message in enumerate(messages):
            details += [
                {"message": reason, "property": f"messages[{index}]"}
                for reason in world.check(message)
            ]
    if not details:
        return None
    n = len(details)
    return refuse(400, f"The request body has {n} error{'s' if n > 1 else ''}", details)


def _write(
    world: LineWorld, channel: Channel, user_id: str, how: How, messages: list[Any]
) -> list[dict[str, str]]:
    return [
        {
            "id": world.write(
                channel.channel_id, user_id, "bot", how, message
            ).message_id,
            "quoteToken": uuid.uuid4().hex,
        }
        for message in messages
    ]


def _sent(sent: list[dict[str, str]]) -> web.Response:
    return web.Response(
        text=json.dumps({"sentMessages": sent}), content_type="application/json"
    )


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
