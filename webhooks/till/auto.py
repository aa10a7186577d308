"""Auto mode: a code that changes each thirty seconds, and who just claimed it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from core.actions.channels import line_channel
from core.actions.signin import load_session
from core.actions.till import WindowUse, current_window, latest_uses
from core.database import Tx
from core.links import line_url
from core.rules.codes import GRACE, WINDOW, window_start
from core.rules.types import Program, TillCode
from passes.qr import qr_svg
from webhooks.keys import CLOCK, DB
from webhooks.live import event_stream
from webhooks.pages import render
from webhooks.till.desk import Desk, find_desk, pad, render_till
from webhooks.till.mode import Mode, keep_mode, kept_mode, stamps_of
from webhooks.till.waiting import read_waiting, seconds_until

# So long after its turn a code may still stand there: a late answer is no alarm, and
# whoever scans it then has twenty seconds left to send it.
LATE = 10

routes = web.RouteTableDef()


@dataclass(frozen=True, slots=True)
class _Shown:
    """What an auto till shows: a code, its picture, and who claimed lately."""

    code: TillCode
    qr: str
    by_line: bool
    uses: tuple[WindowUse, ...] = ()


@routes.get("/till/auto")
async def show_auto_mode(request: web.Request) -> web.Response:
    """The code of this half minute; the choice is kept for this browser."""
    desk = await find_desk(request)
    mode = _mode(request, desk)
    response = await show_auto(request, desk, mode)
    keep_mode(request, response, mode)
    return response


@routes.get("/till/auto/events")
async def follow_auto(request: web.Request) -> web.StreamResponse:
    """Server-sent events: the stage as HTML, with each code and each claim."""
    desk = await find_desk(request)
    mode = _mode(request, desk)
    shown: _Shown | None = None
    html = ""

    async def load() -> str | None:
        nonlocal desk, shown, html
        if html and _is_next(request, shown):
            if not await _is_signed_in(request, desk):
                return None
            # The card may have been paused since the last code.
            desk = await find_desk(request)
        found = await _look(request, desk, mode, shown)
        if not html or found != shown:
            shown, html = found, _draw(request, desk, mode, found)
        return html

    return await event_stream(request, {f"tills:{desk.session.merchant.id}"}, load)


async def show_auto(
    request: web.Request, desk: Desk, mode: Mode, **more: Any
) -> web.Response:
    """The page of auto mode; `more` goes to its template."""
    context = {
        **pad(desk, mode.program),
        **_context(request, desk, mode, await _look(request, desk, mode, None)),
        **await read_waiting(request, desk),
        **more,
    }
    return render_till(request, "auto.html", desk, context)


async def _is_signed_in(request: web.Request, desk: Desk) -> bool:
    parts = request.config_dict
    found = await parts[DB].read(
        load_session, desk.session.token_hash, parts[CLOCK].now()
    )
    return found is not None


def _mode(request: web.Request, desk: Desk) -> Mode:
    kept = kept_mode(request)
    program = desk.program(request.query.get("program", kept.program))
    stamps = stamps_of(request.query.get("stamps", "")) or kept.stamps
    return Mode(is_auto=True, program=program.key if program else "", stamps=stamps)


def _program(desk: Desk, mode: Mode) -> Program | None:
    """The open program that was chosen; none in the place of one that was closed."""
    return next((p for p in desk.programs if p.key == mode.program), None)


def _is_next(request: web.Request, shown: _Shown | None) -> bool:
    now = request.config_dict[CLOCK].now()
    ends_at = shown.code.expires_at if shown else None
    return ends_at is None or window_start(now) + WINDOW + GRACE != ends_at


async def _look(
    request: web.Request, desk: Desk, mode: Mode, shown: _Shown | None
) -> _Shown | None:
    """What is to be shown now, `shown` being what is; None without a program."""
    program = _program(desk, mode)
    if program is None or desk.shop is None:
        return None
    parts = request.config_dict
    now = parts[CLOCK].now()
    if shown is None or _is_next(request, shown):
        code = await parts[DB].write(
            current_window,
            merchant_id=desk.session.merchant.id,
            shop_key=desk.shop.key,
            program_key=program.key,
            stamps=mode.stamps,
            staff_id=desk.session.staff.id,
            now=now,
        )
        url = await parts[DB].read(_url, code)
        qr = await asyncio.to_thread(qr_svg, url or code.code, border=2)
        shown = _Shown(code, qr, bool(url))
    uses = await parts[DB].read(latest_uses, shown.code, now)
    return _Shown(shown.code, shown.qr, shown.by_line, tuple(uses))


def _url(tx: Tx, code: TillCode) -> str:
    channel = line_channel(tx, code.merchant_id)
    return line_url(channel.basic_id if channel else "", code.code)


def _context(
    request: web.Request, desk: Desk, mode: Mode, shown: _Shown | None
) -> dict[str, Any]:
    context: dict[str, Any] = {"desk": desk, "mode": mode, "shown": shown}
    if shown is not None and shown.code.expires_at is not None:
        now = request.config_dict[CLOCK].now()
        left = seconds_until(shown.code.expires_at - GRACE, now)
        context |= {"left": left, "good": left + LATE}
    return context


def _draw(request: web.Request, desk: Desk, mode: Mode, shown: _Shown | None) -> str:
    context = _context(request, desk, mode, shown)
    return render(request, "till/auto_stage.html", context).text or ""
