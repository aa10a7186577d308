"""A voucher that waits for staff, on the customer's phone: with a clock that goes, so
that nobody takes a picture of it for the thing, and the news once staff confirmed it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from core.actions.cards import load_face
from core.actions.redeem import load_voucher
from core.actions.redemptions import load_redemption
from core.database import Tx
from core.errors import NotFound
from core.rules.face import CardFace
from core.rules.redeeming import Redemption, RedemptionId
from core.rules.types import MerchantId, Voucher
from core.wording import say_time
from webhooks.customer import render_card, sorry
from webhooks.keys import CLOCK, DB, LINKS
from webhooks.live import event_stream
from webhooks.pages import language_of

# So long the page tells what became of it.
_LIVES = timedelta(days=1)
_PATH = "/v/{token:[0-9A-Za-z_.-]{1,300}}"

routes = web.RouteTableDef()


@dataclass(frozen=True, slots=True)
class _Ticket:
    """What the page shows: the request as it is at `now`."""

    redemption: Redemption
    voucher: Voucher
    face: CardFace
    now: datetime


@routes.get(_PATH)
async def show_voucher(request: web.Request) -> web.Response:
    """The voucher with its number, the time, and whether it waits, or is used."""
    ticket = await _ticket_of(request)
    if ticket is None:
        return sorry(request, "voucher", 404)
    return _render(request, "use.html", ticket)


@routes.get(f"{_PATH}/events")
async def follow_voucher(request: web.Request) -> web.StreamResponse:
    """Server-sent events: the ticket as HTML, each second and when it is decided."""
    ticket = await _ticket_of(request)
    if ticket is None:
        return sorry(request, "voucher", 404)

    async def load() -> str | None:
        fresh = await _ticket_of(request)
        return None if fresh is None else _render(request, "ticket.html", fresh).text

    return await event_stream(request, {f"card:{ticket.face.card_id}"}, load)


async def _ticket_of(request: web.Request) -> _Ticket | None:
    parts = request.config_dict
    now, token = parts[CLOCK].now(), request.match_info["token"]
    value = parts[LINKS].read("use", token, lives=_LIVES, now=now)
    if value is None:
        return None
    merchant_id, _, redemption_id = value.partition(".")
    try:
        return await parts[DB].read(
            _look, MerchantId(merchant_id), RedemptionId(redemption_id), now
        )
    except NotFound:
        return None


def _look(
    tx: Tx, merchant_id: MerchantId, redemption_id: RedemptionId, now: datetime
) -> _Ticket:
    asked = load_redemption(tx, merchant_id, redemption_id, now)
    voucher = load_voucher(tx, merchant_id, asked.voucher_id)
    face = load_face(tx, merchant_id, asked.card_id, now)
    return _Ticket(asked, voucher, face, now)


def _render(request: web.Request, template: str, ticket: _Ticket) -> web.Response:
    asked, zone, language = (
        ticket.redemption,
        ticket.face.timezone,
        language_of(request),
    )
    is_waiting = asked.state == "waiting"
    # Once decided it stands still: the stream then has no news.
    local = ticket.now.astimezone(ZoneInfo(zone))
    decided = asked.decided_at or asked.expires_at
    context = {
        "page": request.path.removesuffix("/events"),
        "state": asked.state,
        "voucher": ticket.voucher,
        "clock": f"{local:%H:%M:%S}" if is_waiting else "",
        "until": say_time(asked.expires_at, zone, language),
        "decided": "" if is_waiting else say_time(decided, zone, language),
    }
    return render_card(request, template, ticket.face, context)
