"""Tap mode: a tap on a number shows a code, and the page says when it was claimed."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import datetime
from typing import Any

from aiohttp import web

from core.actions.cards import CardView, load_card
from core.actions.channels import LineChannel, line_channel
from core.actions.publish import load_program
from core.actions.till import (
    LIVES,
    MAX_STAMPS,
    TillCodeState,
    cancel_till_code,
    make_till_code,
    till_code_state,
)
from core.card_words import say_card
from core.database import Tx
from core.errors import NotFound
from core.links import line_url
from core.rules.types import MerchantId, Program, TillCode
from core.vault import new_token
from passes.qr import qr_svg
from webhooks.forms import text_of
from webhooks.keys import CLOCK, DB
from webhooks.live import event_stream
from webhooks.pages import render
from webhooks.till.desk import Desk, find_desk, pad, render_till
from webhooks.till.mode import keep_mode, kept_mode
from webhooks.till.undo import is_undoable, was_undone
from webhooks.till.waiting import read_waiting, seconds_until

_LAST = re.compile(r"[0-9A-Z]{8}")
_CODE = "/till/codes/{code:[0-9A-Z]{8}}"

routes = web.RouteTableDef()


@routes.get("/till")
async def enter(request: web.Request) -> web.Response:
    """The till, for those who leave out the stroke."""
    del request
    return web.Response(status=303, headers={"Location": "/till/"})


@routes.get("/till/")
async def show_counter(request: web.Request) -> web.Response:
    """The number pad, ready for the next customer; or auto mode, if that was chosen."""
    desk = await find_desk(request)
    mode = kept_mode(request)
    if mode.is_auto and not request.query:
        return web.Response(status=303, headers={"Location": "/till/auto"})
    response = await show_ready(request, desk)
    if mode.is_auto and request.query.get("mode") == "tap":
        keep_mode(request, response, replace(mode, is_auto=False))
    return response


async def show_ready(request: web.Request, desk: Desk, **more: Any) -> web.Response:
    """The page with the number pad; `more` goes to its template."""
    last = request.query.get("last", "")
    context = {
        "state": "ready",
        # The page that came back by itself leads to what it showed, to take it back.
        "last": last if _LAST.fullmatch(last) else "",
        **pad(desk, request.query.get("program", "")),
        **await read_waiting(request, desk),
        **more,
    }
    return render_till(request, "counter.html", desk, context)


@routes.post("/till/codes")
async def make_code(request: web.Request) -> web.Response:
    """Make a code and show it. A double tap is one code: the form carries a key."""
    desk = await find_desk(request)
    fields = await request.post()
    program = desk.program(text_of(fields, "program"))
    if desk.shop is None or program is None:
        raise NotFound("program")
    stamps = text_of(fields, "stamps")
    if not stamps.isdecimal() or not 1 <= int(stamps) <= MAX_STAMPS:
        target = f"/till/?program={program.key}"
        return web.Response(status=303, headers={"Location": target})
    key = text_of(fields, "key")[:64] or new_token(12)
    key = f"till:{key}:{desk.shop.key}:{program.key}:{int(stamps)}"
    code = await _make(request, desk, program, int(stamps), key)
    if _is_over(code, request.config_dict[CLOCK].now()):
        # An old page came back from the browser's history: this is a new customer.
        code = await _make(request, desk, program, int(stamps), None)
    return web.Response(status=303, headers={"Location": f"/till/codes/{code.code}"})


@routes.get(_CODE)
async def show_code(request: web.Request) -> web.Response:
    """The code for the customer's camera, or what became of it."""
    desk = await find_desk(request)
    context = await _stage(request, desk) | await read_waiting(request, desk)
    return render_till(request, "counter.html", desk, context)


@routes.get(f"{_CODE}/events")
async def follow_code(request: web.Request) -> web.StreamResponse:
    """Server-sent events: the page's stage as HTML, whenever it is another one."""
    desk = await find_desk(request)
    sent = ""

    async def load() -> str | None:
        nonlocal sent
        if sent in {"claimed", "undone", "expired"}:
            return None
        context = await _stage(request, desk)
        sent = str(context["state"])
        if sent == "waiting":
            return sent
        page = render(request, "till/stage.html", {"desk": desk, **context})
        return page.text

    topic = f"till:{request.match_info['code']}"
    return await event_stream(request, {topic}, load)


@routes.post(f"{_CODE}/cancel")
async def cancel_code(request: web.Request) -> web.Response:
    """Take an unclaimed code back."""
    desk = await find_desk(request)
    parts = request.config_dict
    code = request.match_info["code"]
    merchant_id = desk.session.merchant.id
    await parts[DB].write(cancel_till_code, merchant_id, code, parts[CLOCK].now())
    program = text_of(await request.post(), "program")
    state = await parts[DB].read(till_code_state, merchant_id, code, parts[CLOCK].now())
    # Claimed in that very moment: the customer has the stamp, so staff must see it.
    target = f"/till/codes/{code}" if state.state == "claimed" else "/till/"
    known = desk.program(program)
    query = f"?program={known.key}" if known and target == "/till/" else ""
    return web.Response(status=303, headers={"Location": target + query})


async def _make(
    request: web.Request, desk: Desk, program: Program, stamps: int, key: str | None
) -> TillCode:
    assert desk.shop is not None
    return await request.config_dict[DB].write(
        make_till_code,
        merchant_id=desk.session.merchant.id,
        shop_key=desk.shop.key,
        program_key=program.key,
        stamps=stamps,
        staff_id=desk.session.staff.id,
        now=request.config_dict[CLOCK].now(),
        key=key,
    )


def _is_over(code: TillCode, now: datetime) -> bool:
    return code.claimed_at is not None or code.is_over(now)


async def _stage(request: web.Request, desk: Desk) -> dict[str, Any]:
    """What the stage shows of the code in the path."""
    parts = request.config_dict
    now = parts[CLOCK].now()
    found = await parts[DB].read(
        _look, desk.session.merchant.id, request.match_info["code"], now
    )
    state, undone, program, channel, view = found
    url = line_url(channel.basic_id if channel else "", state.code.code)
    ends_at = state.code.expires_at or now
    return {
        "state": "undone" if undone else state.state,
        "code": state.code,
        "lives": int(LIVES.total_seconds()),
        "left": seconds_until(ends_at, now),
        "qr": await asyncio.to_thread(qr_svg, url or state.code.code, border=2),
        "by_line": bool(url),
        "name": state.customer_name,
        "view": view,
        "said": view and say_card(view.face, desk.session.language),
        "entry": state.entry,
        "undoable": state.entry and is_undoable(desk, state.entry, now),
        "vouchers": _earned(view, state),
        **pad(desk, program.key),
    }


def _look(
    tx: Tx, merchant_id: MerchantId, code: str, now: datetime
) -> tuple[TillCodeState, bool, Program, LineChannel | None, CardView | None]:
    state = till_code_state(tx, merchant_id, code, now)
    view, undone = None, False
    if state.entry is not None:
        view = load_card(tx, merchant_id, state.entry.card_id, now)
        undone = was_undone(tx, merchant_id, state.entry)
    program = load_program(tx, merchant_id, state.code.program_id)
    return state, undone, program, line_channel(tx, merchant_id), view


def _earned(view: CardView | None, state: TillCodeState) -> list[Any]:
    if view is None or state.entry is None:
        return []
    return [v for v in view.face.vouchers if v.issued_at == state.entry.at]
