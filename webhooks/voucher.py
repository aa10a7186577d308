"""A voucher that waits for staff, on the customer's phone: with a clock that goes, so
that nobody takes a picture of it for the thing, and the news once staff confirmed it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from core.actions.cards import load_face
from core.actions.merchants import load_merchant
from core.actions.phone_pin import confirm_with_pin
from core.actions.pins import PinRefused
from core.actions.redeem import load_voucher
from core.actions.redemptions import load_redemption
from core.database import Tx
from core.errors import NotFound
from core.rules.asking import Redeemed, Refused
from core.rules.face import CardFace
from core.rules.pins import LONGEST, SHORTEST, read_pin
from core.rules.redeeming import Redemption, RedemptionId, was_used
from core.rules.types import MerchantId, Voucher, Why
from core.vault import new_token
from core.wording import say, say_time
from webhooks.customer import render_card, sorry
from webhooks.forms import read_fields, text_of
from webhooks.keys import CLOCK, DB, LINKS, VAULT
from webhooks.live import event_stream
from webhooks.pages import language_of

# So long the page tells what became of it.
_LIVES = timedelta(days=1)
# Whoever was first: these are no news to whoever came second.
_DECIDED = {Why.already_used, Why.expired_request}
_PATH = "/v/{token:[0-9A-Za-z_.-]{1,300}}"

routes = web.RouteTableDef()


@dataclass(frozen=True, slots=True)
class _Ticket:
    """What the page shows: the request as it is at `now`.

    `takes_pin`: may staff confirm it here?
    """

    redemption: Redemption
    voucher: Voucher
    face: CardFace
    now: datetime
    takes_pin: bool


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


@routes.get(f"{_PATH}/staff")
async def ask_for_pin(request: web.Request) -> web.Response:
    """The pad for a PIN of staff, while this request waits."""
    ticket = await _ticket_of(request)
    if ticket is None:
        return sorry(request, "voucher", 404)
    if not ticket.takes_pin:
        return _back(request)
    return _pad(request, ticket)


@routes.post(f"{_PATH}/staff")
async def confirm_by_pin(request: web.Request) -> web.Response:
    """Use the voucher up as the member of staff whose PIN it is, once."""
    ticket, fields = await _ticket_of(request), await read_fields(request)
    if ticket is None:
        return sorry(request, "voucher", 404)
    if not ticket.takes_pin:
        return _back(request)
    pin = read_pin(text_of(fields, "pin")[:40])
    if not SHORTEST <= len(pin) <= LONGEST:
        return _pad(request, ticket, "format", status=400)
    parts, asked = request.config_dict, ticket.redemption
    outcome = await parts[DB].write(
        confirm_with_pin,
        merchant_id=asked.merchant_id,
        redemption_id=asked.id,
        pin_mac=parts[VAULT].pin_mac(asked.merchant_id, pin),
        key=text_of(fields, "key")[:64] or new_token(),
        now=ticket.now,
    )
    return _answer(request, ticket, outcome)


def _answer(
    request: web.Request, ticket: _Ticket, outcome: Redeemed | Refused | PinRefused
) -> web.Response:
    match outcome:
        case PinRefused(retry_at=None):
            return _pad(request, ticket, "wrong", status=403)
        case PinRefused(retry_at=until):
            return _pad(request, ticket, "closed", until, status=429)
        case Refused(why=why) if why not in _DECIDED:
            return _pad(request, ticket, "refused", why=why, status=409)
        case Refused() | Redeemed():
            # The live page says what became of it.
            return _back(request)


def _back(request: web.Request) -> web.Response:
    location = request.rel_url.with_path(request.path.removesuffix("/staff"))
    return web.Response(status=303, headers={"Location": str(location)})


def _pad(
    request: web.Request,
    ticket: _Ticket,
    problem: str = "",
    until: datetime | None = None,
    *,
    why: Why | None = None,
    status: int = 200,
) -> web.Response:
    language = language_of(request)
    context = {
        "page": request.path.removesuffix("/staff"),
        "voucher": ticket.voucher,
        "problem": problem,
        "until": say_time(until, ticket.face.timezone, language) if until else "",
        "refusal": say(f"why.{why}", language, time="") if why else "",
        "key": new_token(12),
    }
    response = render_card(request, "pin.html", ticket.face, context)
    response.set_status(status)
    return response


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
    takes_pin = asked.state == "waiting" and load_merchant(tx, merchant_id).phone_pin
    return _Ticket(asked, voucher, face, now, takes_pin)


def _render(request: web.Request, template: str, ticket: _Ticket) -> web.Response:
    asked, zone, language = (
        ticket.redemption,
        ticket.face.timezone,
        language_of(request),
    )
    is_waiting = asked.state == "waiting"
    is_returned = asked.state == "done" and not was_used(asked, ticket.voucher)
    # Once decided it stands still: the stream then has no news.
    local = ticket.now.astimezone(ZoneInfo(zone))
    decided = asked.decided_at or asked.expires_at
    context = {
        "page": request.path.removesuffix("/events"),
        "state": "returned" if is_returned else asked.state,
        "takes_pin": ticket.takes_pin,
        "voucher": ticket.voucher,
        "clock": f"{local:%H:%M:%S}" if is_waiting else "",
        "until": say_time(asked.expires_at, zone, language),
        "decided": "" if is_waiting else say_time(decided, zone, language),
    }
    return render_card(request, template, ticket.face, context)
