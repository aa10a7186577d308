"""Connecting LINE: the channel's id and secret, and what is set up and what is not."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from bot.access import ChannelKey, channel_key
from bot.line_api import BotInfo
from bot.onboarding import Seen, fetch_picture, introduce, look_at, point_webhook
from bot.rich_menu import REVISION
from core.actions.channels import LineChannel, line_channel
from core.actions.line_setup import (
    TICKS,
    NewLine,
    connect_line,
    end_previous_secret,
    hold_replies,
    keep_webhook_test,
    tick_line,
)
from core.actions.menus import MenuState, menu_state, want_menu, want_menu_again
from core.actions.pictures import load_picture
from core.database import Tx
from core.errors import Invalid, NotFound, Unsealable
from core.links import friend_url
from core.rules.types import MerchantId
from core.wording import say_time
from passes.uploads import MOST_BYTES, clean_picture
from webhooks.forms import problems_in_words, text_of
from webhooks.keys import CLOCK, DB, LINE_API, VAULT
from webhooks.merchant.line_checklist import checklist, webhook_url
from webhooks.pages import language_of, render
from webhooks.sessions import require_session

routes = web.RouteTableDef()

LINE = "/merchant/line"

_PICTURE_SIDE = 112
_DONE = {"connected", "webhook", "menu", "ticked", "ended", "holds", "holds_not"}
_CHANNEL_ID = re.compile(r"[0-9]{5,20}")
_SECRET = re.compile(r"[!-~]{16,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """What somebody typed that could not be kept, and why; never a secret."""

    channel_id: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    channel: LineChannel | None
    picture: bytes | None
    menu: MenuState


@routes.get(LINE)
async def show_line(request: web.Request) -> web.Response:
    """The page."""
    require_session(request, "owner")
    return await _page(request, _Typed())


@routes.post(LINE)
async def connect(request: web.Request) -> web.Response:
    """Try the id and secret at LINE, keep them, and set up what can be set up."""
    session = require_session(request, "owner")
    parts, fields = request.config_dict, await request.post()
    typed = text_of(fields, "channel_id")
    try:
        key = _read_key(typed, text_of(fields, "secret"))
        info = await introduce(parts[LINE_API], key)
        given = NewLine(
            channel_id=key.channel_id,
            secret=key.secret,
            bot_user_id=info.user_id,
            basic_id=info.basic_id,
            name=info.name,
            picture=await _picture(info),
        )
        await parts[DB].write(
            connect_line,
            session.merchant.id,
            given,
            parts[VAULT],
            session.staff.id,
            parts[CLOCK].now(),
        )
    except Invalid as error:
        words = problems_in_words(error, language_of(request))
        return await _page(request, _Typed(channel_id=typed, problems=words))
    await parts[DB].write(want_menu, session.merchant.id, REVISION, parts[CLOCK].now())
    # Only now: LINE signs its test call with the secret that we have just kept.
    await _point(request, session.merchant.id, session.merchant.key, key)
    return _back("connected")


@routes.post(f"{LINE}/webhook")
async def set_webhook(request: web.Request) -> web.Response:
    """Have LINE send webhooks here, and call us once."""
    session = require_session(request, "owner")
    try:
        key = await _known_key(request, session.merchant.id)
    except Unsealable:
        # The page says that the secret is needed anew.
        return web.Response(status=303, headers={"Location": LINE})
    await _point(request, session.merchant.id, session.merchant.key, key)
    return _back("webhook")


@routes.post(f"{LINE}/menu")
async def set_menu(request: web.Request) -> web.Response:
    """Have the rich menu put up again."""
    session, parts = require_session(request, "owner"), request.config_dict
    where = (session.merchant.id, session.staff.id, parts[CLOCK].now())
    await parts[DB].write(want_menu_again, *where)
    return _back("menu")


@routes.post(f"{LINE}/ticks")
async def tick(request: web.Request) -> web.Response:
    """Mark a setting that LINE cannot be asked about as done, or as not done."""
    session, parts = require_session(request, "owner"), request.config_dict
    fields = await request.post()
    wanted = text_of(fields, "what")
    for what in TICKS:
        if what == wanted:
            await parts[DB].write(
                tick_line,
                session.merchant.id,
                what,
                is_done=text_of(fields, "do") == "tick",
                by=session.staff.id,
                now=parts[CLOCK].now(),
            )
            return _back("ticked")
    raise web.HTTPBadRequest


@routes.post(f"{LINE}/previous")
async def end_previous(request: web.Request) -> web.Response:
    """Take nothing any more that was signed with the secret before."""
    session, parts = require_session(request, "owner"), request.config_dict
    where = (session.merchant.id, session.staff.id, parts[CLOCK].now())
    await parts[DB].write(end_previous_secret, *where)
    return _back("ended")


@routes.post(f"{LINE}/holds")
async def set_holding(request: web.Request) -> web.Response:
    """Have answers wait a moment for staff at the till, or not."""
    session, parts = require_session(request, "owner"), request.config_dict
    does_hold = text_of(await request.post(), "do") == "hold"
    await parts[DB].write(
        hold_replies,
        session.merchant.id,
        does_hold=does_hold,
        by=session.staff.id,
        now=parts[CLOCK].now(),
    )
    return _back("holds" if does_hold else "holds_not")


async def _point(
    request: web.Request, merchant_id: MerchantId, merchant_key: str, key: ChannelKey
) -> None:
    parts = request.config_dict
    url = webhook_url(request, merchant_key)
    test = await point_webhook(parts[LINE_API], key, url)
    now = parts[CLOCK].now()
    await parts[DB].write(keep_webhook_test, merchant_id, test.reason, test.status, now)


async def _known_key(request: web.Request, merchant_id: MerchantId) -> ChannelKey:
    """The key of the channel that is kept. Raises `NotFound`, `Unsealable`."""
    parts = request.config_dict
    channel = await parts[DB].read(line_channel, merchant_id)
    if channel is None:
        raise NotFound("channel")
    return channel_key(channel, parts[VAULT])


async def _picture(info: BotInfo) -> bytes | None:
    raw = await fetch_picture(info, most_bytes=MOST_BYTES)
    if raw is None:
        return None
    try:
        return await asyncio.to_thread(clean_picture, raw, side=_PICTURE_SIDE)
    except Invalid:
        return None


def _read_key(channel_id: str, secret: str) -> ChannelKey:
    found: dict[str, tuple[str, Mapping[str, object]]] = {}
    if not _CHANNEL_ID.fullmatch(channel_id):
        found["channel_id"] = ("line_setup.invalid.channel_id", {})
    if not _SECRET.fullmatch(secret):
        found["secret"] = ("line_setup.invalid.secret", {})
    if found:
        raise Invalid(found)
    return ChannelKey(channel_id, secret)


async def _page(request: web.Request, typed: _Typed) -> web.Response:
    session, parts = require_session(request), request.config_dict
    kept = await parts[DB].read(_load, session.merchant.id)
    seen = await _look(request, kept.channel)
    done = request.query.get("done", "") if request.method == "GET" else ""
    context = {
        "channel": kept.channel,
        "seen": seen,
        "rows": checklist(request, kept.channel, kept.menu, seen),
        "ticks": TICKS,
        "previous_until": _previous_until(request, kept.channel),
        "picture": base64.b64encode(kept.picture).decode() if kept.picture else "",
        "friend": friend_url(kept.channel.basic_id) if kept.channel else "",
        "typed": typed,
        "problems": typed.problems,
        "done": done if done in _DONE else "",
    }
    status = 422 if typed.problems else 200
    return render(request, "merchant/line.html", context, status=status, is_packed=True)


def _previous_until(request: web.Request, channel: LineChannel | None) -> str | None:
    """Until when the secret before is taken, in words; None where it is not."""
    if channel is None or not channel.has_previous(request.config_dict[CLOCK].now()):
        return None
    if channel.previous_until is None:
        return ""
    zone = channel.merchant.timezone
    return say_time(channel.previous_until, zone, language_of(request))


async def _look(request: web.Request, channel: LineChannel | None) -> Seen:
    if channel is None:
        return Seen()
    try:
        key = channel_key(channel, request.config_dict[VAULT])
    except Unsealable:
        return Seen(problem="refused")
    return await look_at(request.config_dict[LINE_API], key)


def _load(tx: Tx, merchant_id: MerchantId) -> _Kept:
    channel = line_channel(tx, merchant_id)
    digest = channel.setup.get("picture") if channel else None
    return _Kept(
        channel=channel,
        picture=load_picture(tx, merchant_id, digest) if digest else None,
        menu=menu_state(tx, merchant_id, REVISION),
    )


def _back(done: str) -> web.Response:
    return web.Response(status=303, headers={"Location": f"{LINE}?done={done}"})
