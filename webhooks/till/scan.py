"""Staff scan: a customer's code opens the card, one tap gives a stamp."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aiohttp import web

from core.actions.cards import (
    CardView,
    load_card,
    load_entry,
    search_cards,
)
from core.actions.grant import grant_stamps
from core.actions.late import own_card_id, scan_key
from core.actions.paper import may_bring_paper, migrate_paper
from core.actions.pins import MAY_SERVE
from core.actions.scanning import CodeKeys, Scan, Unread, cards_scanned, code_keys
from core.actions.signin import Session
from core.actions.till import MAX_STAMPS
from core.card_words import say_card
from core.database import Tx
from core.rules.asking import Granted, Refused, StampAsk
from core.rules.pass_codes import PassCode
from core.rules.scanned import read_scanned
from core.rules.types import MerchantId
from core.vault import new_token
from core.wording import say_last_day, say_time
from webhooks.forms import read_fields, text_of
from webhooks.keys import CLOCK, DB, VAULT
from webhooks.metrics import count_stamps
from webhooks.sessions import current_session, scanner_of
from webhooks.till.desk import Desk, find_card, find_desk, render_till
from webhooks.till.history import LONGEST_REASON, read_history
from webhooks.till.mode import stamps_of
from webhooks.till.refusals import say_refusal
from webhooks.till.reissue import show_replaced
from webhooks.till.reward import ask_for_voucher, give_voucher, take_voucher_back
from webhooks.till.undo import is_undoable, show_undone, undo_stamps, was_undone
from webhooks.till.unlink import links_at_till

# So many cards of a search are shown.
MOST = 20


_CARD = "/till/cards/{code:[0-9A-Z]{1,16}}"
_VOUCHER = _CARD + "/vouchers/{voucher:[0-9A-Z]{26}}"

routes = web.RouteTableDef()
routes.post(f"{_CARD}/undo")(undo_stamps)
routes.get(_VOUCHER)(ask_for_voucher)
routes.post(f"{_VOUCHER}/redeem")(give_voucher)
routes.post(f"{_VOUCHER}/back")(take_voucher_back)


@routes.get("/till/find")
async def find_customer(request: web.Request) -> web.Response:
    """What a scanner typed, or a person: a card's URL, its code, a member number; else
    whose name or number begins so.
    """
    desk = await find_desk(request)
    text = request.query.get("q", "").strip()[:200]
    parts = request.config_dict
    now = parts[CLOCK].now()
    found = await _read(request, desk, text)
    if isinstance(found, Unread):
        return await _unread(request, desk, found)
    is_search = not found
    if is_search:
        # One more than is shown tells whether there are more.
        merchant_id = desk.session.merchant.id
        found = await parts[DB].read(search_cards, merchant_id, text, now, MOST + 1)
    if len(found) == 1:
        location = f"/c/{found[0].card.code}"
        return web.Response(status=303, headers={"Location": location})
    status = 200 if found else 404
    context = {
        "text": text,
        "unread": "",
        "views": [(view, _last_visit(desk, view)) for view in found[:MOST]],
        "is_search": is_search,
        "is_more": len(found) > MOST,
    }
    return render_till(request, "find.html", desk, context, status=status)


@routes.post(f"{_CARD}/stamps")
async def add_stamps(request: web.Request) -> web.Response:
    """Give stamps to the card that was scanned.

    The answer is a page, not a redirect: sent again, the same key gets the same one.
    """
    desk = await find_desk(request)
    parts = request.config_dict
    fields = await request.post()
    now = parts[CLOCK].now()
    view = await find_card(request, desk)
    n = text_of(fields, "n")
    if not n.isdecimal() or not 1 <= int(n) <= MAX_STAMPS:
        raise web.HTTPBadRequest
    merchant_id, code = view.card.merchant_id, request.match_info["code"]
    card_id = await parts[DB].read(own_card_id, merchant_id, code)
    ask = StampAsk(
        merchant_id=merchant_id,
        # A form without its key is new each time: none may share another's answer.
        key=scan_key(text_of(fields, "key")[:64] or new_token(), card_id, int(n)),
        how="scan",
        card_id=card_id,
        stamps=int(n),
        shop_id=None if desk.shop is None else desk.shop.id,
        staff_id=desk.session.staff.id,
    )
    outcome = await parts[DB].write(grant_stamps, ask, now)
    count_stamps(request, "scan", outcome)
    if not isinstance(outcome, Granted):
        return _page(request, desk, await find_card(request, desk), outcome)
    # A card that ranked up, or was linked, hands its stamps on.
    where = (view.card.merchant_id, outcome.card_id, now)
    view = await parts[DB].read(load_card, *where)
    can, gone = await parts[DB].read(_may_undo, desk, outcome, now)
    if gone:
        return show_undone(request, desk, view)
    return _page(request, desk, view, outcome, undoable=can)


@routes.get(f"{_CARD}/stamps")
@routes.get(f"{_CARD}/undo")
@routes.get(f"{_CARD}/paper")
@routes.get(f"{_VOUCHER}/redeem")
@routes.get(f"{_VOUCHER}/back")
async def come_back(request: web.Request) -> web.Response:
    """The answer's address, opened again without its form: the card as it is now."""
    location = f"/c/{request.match_info['code']}"
    return web.Response(status=303, headers={"Location": location})


def serves(session: Session | None, merchant_id: MerchantId) -> bool:
    """May this browser see and stamp the cards of that merchant?"""
    return (
        session is not None
        and session.merchant.id == merchant_id
        and session.staff.role in MAY_SERVE
    )


async def show_customer(request: web.Request, view: CardView) -> web.Response:
    """The card as staff see it; with ?n= it asks before giving several stamps."""
    assert serves(current_session(request), view.card.merchant_id)
    desk = await find_desk(request)
    parts = request.config_dict
    now = parts[CLOCK].now()
    more = await parts[DB].read(_more, desk, view, now)
    more |= await links_at_till(request, desk, view)
    return _page(request, desk, view, None, **more)


@routes.post(f"{_CARD}/paper")
async def bring_paper(request: web.Request) -> web.Response:
    """Add the stamps of a paper card, once; the same key gets the same page."""
    desk = await find_desk(request)
    parts = request.config_dict
    fields = await read_fields(request)
    now = parts[CLOCK].now()
    view = await find_card(request, desk)
    stamps = stamps_of(text_of(fields, "n"))
    if stamps is None:
        raise web.HTTPBadRequest
    key = text_of(fields, "key")[:64] or new_token()
    outcome = await parts[DB].write(
        migrate_paper,
        merchant_id=view.card.merchant_id,
        card_id=view.card.id,
        stamps=stamps,
        by=desk.session.staff,
        key=f"till-paper:{key}:{view.card.id}:{stamps}",
        now=now,
    )
    if isinstance(outcome, Refused):
        return _page(request, desk, await find_card(request, desk), outcome)
    where = (view.card.merchant_id, outcome.card_id, now)
    view = await parts[DB].read(load_card, *where)
    granted = Granted(
        card_id=outcome.card_id,
        entry_id=outcome.entry_id,
        stamps=outcome.stamps,
        completed=outcome.completed,
        vouchers=outcome.vouchers,
        next_card_id=outcome.next_card_id,
    )
    return _page(request, desk, view, granted)


async def _read(request: web.Request, desk: Desk, text: str) -> list[CardView] | Unread:
    """The cards that a scan names; none where it is no scan, or nobody's."""
    what = read_scanned(text)
    if what is None:
        return []
    parts = request.config_dict
    now = parts[CLOCK].now()
    session = desk.session
    scan = Scan(
        merchant_id=session.merchant.id, what=what, at=now, by=scanner_of(session)
    )
    keys = code_keys(parts[VAULT], parts[CLOCK].offset)
    # Such a code opens its card once, which is written down.
    look = parts[DB].write if isinstance(what, PassCode) else parts[DB].read
    return await look(_views, scan, keys, now)


def _views(
    tx: Tx, scan: Scan, keys: CodeKeys, now: datetime
) -> list[CardView] | Unread:
    found = cards_scanned(tx, scan, keys, now)
    if isinstance(found, Unread):
        return found
    return [load_card(tx, card.merchant_id, card.id, now) for card in found]


async def _unread(request: web.Request, desk: Desk, unread: Unread) -> web.Response:
    """The page that says why a code opens nothing, and what staff can do."""
    if unread.why == "replaced":
        return await show_replaced(request)
    context = {"text": "", "views": [], "unread": unread.why}
    return render_till(request, "find.html", desk, context, status=410)


def _more(tx: Tx, desk: Desk, view: CardView, now: datetime) -> dict[str, Any]:
    """What the card's own page has more than the answers to its forms."""
    return {
        "history": read_history(tx, desk, view, now),
        "longest_reason": LONGEST_REASON,
        "is_paper_open": view.card.state == "active"
        and may_bring_paper(tx, view.card.merchant_id, view.customer.id),
    }


def _may_undo(tx: Tx, desk: Desk, granted: Granted, now: datetime) -> tuple[bool, bool]:
    """May it be taken back here, and was it already?"""
    merchant_id = desk.session.merchant.id
    entry = load_entry(tx, merchant_id, granted.entry_id)
    return is_undoable(desk, entry, now), was_undone(tx, merchant_id, entry)


def _page(
    request: web.Request,
    desk: Desk,
    view: CardView,
    outcome: Granted | Refused | None,
    *,
    undoable: bool = False,
    **more: Any,
) -> web.Response:
    wanted = request.query.get("n", "")
    is_number = wanted.isdecimal() and 1 < int(wanted) <= MAX_STAMPS
    context: dict[str, Any] = {
        "view": view,
        "face": view.face,
        "said": say_card(view.face, desk.session.language),
        "outcome": outcome,
        "refusal": say_refusal(desk.session, outcome)
        if isinstance(outcome, Refused)
        else "",
        "undoable": undoable,
        "granted": outcome if isinstance(outcome, Granted) else None,
        "earned": _earned(view, outcome),
        "asked": int(wanted) if is_number and outcome is None else None,
        "last_visit": _last_visit(desk, view),
        "expires": view.face.expires_at
        and say_last_day(
            view.face.expires_at, view.face.timezone, desk.session.language
        ),
        "key": new_token(12),
        "most": MAX_STAMPS,
        **more,
    }
    return render_till(request, "card.html", desk, context)


def _last_visit(desk: Desk, view: CardView) -> str:
    face = view.face
    if face.last_stamp_at is None:
        return ""
    return say_time(face.last_stamp_at, face.timezone, desk.session.language)


def _earned(view: CardView, outcome: Granted | Refused | None) -> list[Any]:
    if not isinstance(outcome, Granted):
        return []
    return [v for v in view.face.vouchers if v.id in outcome.vouchers]
