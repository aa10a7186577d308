"""Stamps that a till kept while it had no network: taken one by one, each once."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from core.actions.cards import load_card
from core.actions.late import LateScan, send_scan, withdraw_scan
from core.actions.pins import MAY_SERVE
from core.actions.scanning import code_keys
from core.actions.signin import Session
from core.actions.till import MAX_STAMPS
from core.database import Tx
from core.errors import Invalid, NotFound
from core.rules.asking import Refused, Undone
from core.rules.types import CardId, Language, MerchantId, ShopId, StaffId
from core.wording import say
from webhooks.forms import problems_in_words
from webhooks.keys import CLOCK, DB, LINKS, VAULT
from webhooks.metrics import count_stamps
from webhooks.sessions import current_session, scanner_of
from webhooks.till.refusals import say_refusal

# A page that was shown so long ago says no longer who stood at the till.
PASS_LIVES = timedelta(days=30)
LARGEST = 4096
_KEY = re.compile(r"[0-9A-Za-z_-]{8,64}")

routes = web.RouteTableDef()


@dataclass(frozen=True, slots=True)
class Pass:
    """Who stood at a till, and where, when a page of it was shown."""

    merchant_id: MerchantId
    shop_id: ShopId | None
    staff_id: StaffId


def till_pass(request: web.Request, session: Session, shop_id: ShopId | None) -> str:
    """What a page carries so that its late stamps name who gave them, and where.

    Signed: a till may be another one's by the time it sends them.
    """
    parts = (session.merchant.id, shop_id or "", session.staff.id)
    return request.config_dict[LINKS].sign("queue", ".".join(parts))


@routes.get("/till/queue")
async def tell_whose(request: web.Request) -> web.Response:
    """Whose till this is now; a page may have been open for longer than its sign-in."""
    session = _session(request)
    if session is None:
        return _signed_out()
    return _answer({"merchant": session.merchant.id, "csrf": session.csrf})


@routes.post("/till/queue")
async def take_late(request: web.Request) -> web.Response:
    """One stamp that was kept, or one that is not wanted any more.

    200 with what became of it, for ever the same; 400 and 404 for what can never be
    given; 401 and 409 while somebody else, or nobody, is signed in here.
    """
    session = _session(request)
    if session is None:
        return _signed_out()
    body = await _body(request)
    who = _who(request, session, body)
    if who.merchant_id != session.merchant.id:
        return _answer({"outcome": "elsewhere"}, 409)
    scan = _scan(request, session, body, who)
    if scan is None:
        return _never(session.language, "queue.unreadable")
    act = _withdraw if body.get("do") == "withdraw" else _send
    try:
        return await act(request, session, scan, request.config_dict[CLOCK].now())
    except NotFound:
        return _never(session.language, "queue.unknown", 404)
    except Invalid as error:
        words = problems_in_words(error, session.language)
        return _answer({"outcome": "refused", "words": " ".join(words.values())}, 400)


async def _send(
    request: web.Request, session: Session, scan: LateScan, now: datetime
) -> web.Response:
    db = request.config_dict[DB]
    outcome = await db.write(send_scan, scan, now)
    count_stamps(request, "scan", outcome)
    shown = await db.read(_shown, session, outcome.card_id, now)
    if isinstance(outcome, Refused):
        words = say_refusal(session, outcome)
        return _answer({"outcome": "refused", "words": words, **shown})
    words = say("queue.given", session.language, n=outcome.stamps)
    return _answer({"outcome": "granted", "words": words, **shown})


async def _withdraw(
    request: web.Request, session: Session, scan: LateScan, now: datetime
) -> web.Response:
    reason = say("queue.withdrawn_reason", session.language)
    outcome = await request.config_dict[DB].write(
        withdraw_scan, scan, by=session.staff, reason=reason, now=now
    )
    if not isinstance(outcome, Refused):
        state = "undone" if isinstance(outcome, Undone) else "withdrawn"
        return _answer({"outcome": state, "words": ""})
    shown = await request.config_dict[DB].read(_shown, session, outcome.card_id, now)
    why = say_refusal(session, outcome)
    words = say("queue.not_withdrawn", session.language, why=why)
    return _answer({"outcome": "refused", "words": words, **shown})


def _session(request: web.Request) -> Session | None:
    session = current_session(request)
    return session if session and session.staff.role in MAY_SERVE else None


def _who(request: web.Request, session: Session, body: dict[str, Any]) -> Pass:
    parts = request.config_dict
    token, now = body.get("pass"), parts[CLOCK].now()
    value = (
        parts[LINKS].read("queue", token, lives=PASS_LIVES, now=now)
        if isinstance(token, str)
        else None
    )
    if value is None:
        return Pass(session.merchant.id, session.shop_id, session.staff.id)
    merchant_id, shop_id, staff_id = value.split(".")
    shop = ShopId(shop_id) if shop_id else None
    return Pass(MerchantId(merchant_id), shop, StaffId(staff_id))


def _scan(
    request: web.Request, session: Session, body: dict[str, Any], who: Pass
) -> LateScan | None:
    what, key, n = body.get("what"), body.get("key"), body.get("n")
    program, age = body.get("program", ""), body.get("age")
    if not isinstance(what, str) or not isinstance(key, str):
        return None
    if not _KEY.fullmatch(key) or not 1 <= len(what) <= 200:  # noqa: PLR2004 -- as the box takes
        return None
    if type(n) is not int or not 1 <= n <= MAX_STAMPS or not isinstance(program, str):
        return None
    return LateScan(
        merchant_id=who.merchant_id,
        key=key,
        what=what,
        n=n,
        age=_span(age),
        program=program,
        keys=code_keys(request.config_dict[VAULT], request.config_dict[CLOCK].offset),
        by=scanner_of(session),
        shop_id=who.shop_id,
        staff_id=who.staff_id,
    )


def _span(age: object) -> timedelta | None:
    """Milliseconds as the page counted them; None for what no clock can mean."""
    if type(age) is not int or abs(age) > timedelta(days=3650) / timedelta.resolution:
        return None
    return timedelta(milliseconds=age)


async def _body(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    if (request.content_length or 0) > LARGEST:
        raise web.HTTPRequestEntityTooLarge(LARGEST, request.content_length or 0)
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest from None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest
    return body


def _shown(
    tx: Tx, session: Session, card_id: CardId | None, now: datetime
) -> dict[str, Any]:
    """Whose card it is, in the words of the till, and where to open it."""
    if card_id is None:
        return {}
    view = load_card(tx, session.merchant.id, card_id, now)
    name, number = view.customer.name, view.face.member_no
    key = "till.person" if name else "till.somebody"
    return {
        "who": say(key, session.language, name=name, number=number),
        "program": view.face.program_name,
        "balance": f"{view.face.balance} / {view.face.goal}",
        "card": f"/c/{view.card.code}",
    }


def _never(language: Language, key: str, status: int = 400) -> web.Response:
    return _answer({"outcome": "refused", "words": say(key, language)}, status)


def _signed_out() -> web.Response:
    return _answer({"outcome": "signed_out"}, 401)


def _answer(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response(body, status=status)
