"""Stamp codes on the wall: made, printed, and revoked."""

from __future__ import annotations

from aiohttp import web

from core.actions.printed import make_printed_code, revoke_printed_code
from core.errors import Invalid, NotFound
from core.links import line_url
from webhooks.forms import whole_number
from webhooks.keys import CLOCK, DB
from webhooks.merchant.code_list import load_codes
from webhooks.merchant.codes import back_with, codes_page, read_form, typed_wrongly
from webhooks.merchant.paths import CODES
from webhooks.merchant.printing import FILES, print_poster, stamp_poster
from webhooks.pages import language_of
from webhooks.sessions import require_session

routes = web.RouteTableDef()

_CODE = CODES + "/printed/{code:[0-9A-Z]{8}}"
_FIELDS = ("program", "shop", "stamps", "radius_m")


@routes.post(f"{CODES}/printed")
async def make(request: web.Request) -> web.Response:
    """Make a code. A double tap is one code: the form carries a key."""
    session, parts = require_session(request, "owner", "manager"), request.config_dict
    texts, key = read_form("printed", await request.post(), _FIELDS)
    try:
        await parts[DB].write(
            make_printed_code,
            merchant_id=session.merchant.id,
            shop_key=texts["shop"],
            program_key=texts["program"],
            # What is no number is out of every range.
            stamps=whole_number(texts["stamps"]) or 0,
            radius_m=_radius(texts["radius_m"]),
            staff_id=session.staff.id,
            now=parts[CLOCK].now(),
            key=key,
        )
    except (Invalid, NotFound) as error:
        typed = typed_wrongly(request, "printed", texts, error)
        return await codes_page(request, typed)
    return back_with(done="printed")


@routes.get(f"{_CODE}/{FILES}")
async def print_code(request: web.Request) -> web.Response:
    """The code's poster, or its QR code alone; nothing of one that is revoked."""
    session, parts = require_session(request, "owner", "manager"), request.config_dict
    found = await parts[DB].read(load_codes, session.merchant.id)
    wanted = request.match_info["code"]
    code = next((c for c in found.printed if c.code == wanted), None)
    if code is None:
        return back_with(sorry="gone")
    url = line_url(found.connections.line_id, code.code)
    if not url:
        return back_with(sorry="no_line")
    program, shop = found.program(code.program_id), found.shop(code.shop_id)
    poster = stamp_poster(
        session.merchant, program, shop, code, url, language_of(request)
    )
    file = request.match_info["file"]
    printed = await print_poster(poster, file, f"stamp-{code.code}")
    # It may have waited behind large sheets: what was revoked meanwhile is not given.
    after = await parts[DB].read(load_codes, session.merchant.id)
    return printed if code in after.printed else back_with(sorry="gone")


@routes.post(f"{_CODE}/revoke")
async def revoke(request: web.Request) -> web.Response:
    """End a code; the form has asked whether that is meant."""
    session, parts = require_session(request, "owner", "manager"), request.config_dict
    await parts[DB].write(
        revoke_printed_code,
        session.merchant.id,
        request.match_info["code"],
        session.staff.id,
        parts[CLOCK].now(),
    )
    return back_with(done="revoked")


def _radius(text: str) -> int | None:
    if not text:
        return None
    number = whole_number(text)
    return -1 if number is None else number
