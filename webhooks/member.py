"""The 会員証 page: a code for the staff's scanner that changes each minute, and the
customer's cards, which change in the moment of the stamp.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from core.actions.channels import line_channel
from core.actions.member import Membership, load_membership
from core.actions.scanning import member_key
from core.links import chat_url
from core.rules.member_codes import member_code, seconds_left
from core.rules.types import CardId
from core.wording import say
from passes.qr import qr_svg
from webhooks.customer import render_card
from webhooks.keys import CLOCK, DB, LINKS, VAULT
from webhooks.live import event_stream
from webhooks.pages import language_of, render

LIVES = timedelta(minutes=10)
_EVER = timedelta(days=36500)
# What the page shows is taken away when nothing new has come for so much longer.
_LATE_SECONDS = 3
_PATH = "/m/{token:[0-9A-Za-z_.-]{1,300}}"

routes = web.RouteTableDef()


@routes.get(_PATH)
async def show_member(request: web.Request) -> web.Response:
    """The code of this minute, the member number and the cards."""
    found = await _member_of(request, LIVES)
    if found is None:
        return await _over(request)
    return await _render(request, "member.html", found, _now(request))


@routes.get(f"{_PATH}/events")
async def follow_member(request: web.Request) -> web.StreamResponse:
    """Server-sent events: all that changes, as HTML; at the end, that it is over."""
    if await _member_of(request, LIVES) is None:
        return await _over(request)
    shown: tuple[str, Membership] | None = None
    html = ""
    is_over = False

    async def load() -> str | None:
        nonlocal shown, html, is_over
        now = _now(request)
        found = await _member_of(request, LIVES)
        if found is None:
            if is_over:
                return None
            is_over = True
            return (await _over(request, "member_over_stage.html")).text
        fresh = (_code(request, found, now), found)
        if fresh != shown:
            # Only then: how many seconds are left is counted by the page itself.
            shown = fresh
            drawn = await _render(request, "member_stage.html", found, now)
            html = drawn.text or ""
        return html

    found = await _member_of(request, LIVES)
    topics = {f"card:{view.card.id}" for view in found.cards} if found else set()
    return await event_stream(request, topics, load)


async def _member_of(request: web.Request, lives: timedelta) -> Membership | None:
    parts, now = request.config_dict, _now(request)
    token = request.match_info["token"]
    card_id = parts[LINKS].read("member", token, lives=lives, now=now)
    if card_id is None:
        return None
    return await parts[DB].read(load_membership, CardId(card_id), now)


async def _render(
    request: web.Request, template: str, found: Membership, now: datetime
) -> web.Response:
    left = seconds_left(now)
    url = request.config_dict[LINKS].card(_code(request, found, now))
    context = {
        "page": request.path.removesuffix("/events"),
        "member": found,
        "qr": await asyncio.to_thread(qr_svg, url),
        "left": max(1, int(left)),
        "good": f"{left + _LATE_SECONDS:.1f}",
    }
    return render_card(request, template, found.cards[0].face, context)


async def _over(
    request: web.Request, template: str = "member_over.html"
) -> web.Response:
    """The page that has run out, with the way back into the chat; 404 for no link."""
    word = say("bot.quick.member", language_of(request))
    context: dict[str, Any] = {"what": "gone", "word": word, "chat": ""}
    found = await _member_of(request, _EVER)
    if found is None:
        return render(request, f"customer/{template}", context, status=404)
    merchant_id = found.customer.merchant_id
    channel = await request.config_dict[DB].read(line_channel, merchant_id)
    # Who has no LINE cannot write the word there.
    if channel is not None and found.customer.line_user_id is not None:
        context["chat"] = chat_url(channel.basic_id, word)
    context |= {"what": "over", "merchant": found.cards[0].face.merchant_name}
    return render(request, f"customer/{template}", context, status=410)


def _code(request: web.Request, found: Membership, now: datetime) -> str:
    key = member_key(request.config_dict[VAULT])
    return member_code(found.customer, key, now)


def _now(request: web.Request) -> datetime:
    return request.config_dict[CLOCK].now()
