"""Handing a reward over: asked once more, done once, taken back within ten minutes."""

from __future__ import annotations

from typing import Literal

from aiohttp import web

from core.actions.cards import CardView
from core.actions.redeem import load_voucher, redeem_voucher, undo_redeem
from core.errors import NotFound
from core.rules.asking import Redeemed, Refused, Undone
from core.rules.redeeming import decide_redeem, decide_undo_redeem
from core.rules.types import Voucher, VoucherId
from core.vault import new_token
from webhooks.forms import read_fields, text_of
from webhooks.keys import CLOCK, DB
from webhooks.till.desk import Desk, find_card, find_desk, render_till
from webhooks.till.refusals import say_refusal

State = Literal["ask", "redeemed", "returned", "refused", "kept"]


async def ask_for_voucher(request: web.Request) -> web.Response:
    """The one question before a reward is handed over; or what became of it."""
    desk = await find_desk(request)
    view, voucher = await _find(request, desk)
    return _current(request, desk, view, voucher)


async def give_voucher(request: web.Request) -> web.Response:
    """Use the voucher up; the same key gets the same page."""
    desk = await find_desk(request)
    _, voucher = await _find(request, desk)
    outcome = await request.config_dict[DB].write(
        redeem_voucher,
        merchant_id=desk.session.merchant.id,
        voucher_id=voucher.id,
        by=desk.session.staff,
        key=await _key(request, "till-redeem", voucher),
        now=request.config_dict[CLOCK].now(),
        shop_id=None if desk.shop is None else desk.shop.id,
    )
    return await _answer(request, desk, outcome, "redeemed", "refused")


async def take_voucher_back(request: web.Request) -> web.Response:
    """Make the voucher usable again; the same key gets the same page."""
    desk = await find_desk(request)
    _, voucher = await _find(request, desk)
    outcome = await request.config_dict[DB].write(
        undo_redeem,
        merchant_id=desk.session.merchant.id,
        voucher_id=voucher.id,
        by=desk.session.staff,
        key=await _key(request, "till-unredeem", voucher),
        now=request.config_dict[CLOCK].now(),
        shop_id=None if desk.shop is None else desk.shop.id,
    )
    return await _answer(request, desk, outcome, "returned", "kept")


async def _find(request: web.Request, desk: Desk) -> tuple[CardView, Voucher]:
    view = await find_card(request, desk)
    voucher = await request.config_dict[DB].read(
        load_voucher,
        desk.session.merchant.id,
        VoucherId(request.match_info["voucher"]),
    )
    if voucher.card_id != view.card.id:
        raise NotFound("voucher")
    return view, voucher


async def _key(request: web.Request, what: str, voucher: Voucher) -> str:
    key = text_of(await read_fields(request), "key")[:64] or new_token()
    return f"{what}:{key}:{voucher.id}"


async def _answer(
    request: web.Request,
    desk: Desk,
    outcome: Redeemed | Undone | Refused,
    done: State,
    refused: State,
) -> web.Response:
    view, voucher = await _find(request, desk)
    if isinstance(outcome, Refused):
        return _page(
            request, desk, view, voucher, refused, say_refusal(desk.session, outcome)
        )
    if isinstance(outcome, Redeemed):
        stands = voucher.redemption_id == outcome.entry_id
    else:
        stands = voucher.state == "issued"
    # An old form sent again from the history: what it did may have been taken back.
    if not stands:
        return _current(request, desk, view, voucher)
    return _page(request, desk, view, voucher, done)


def _current(
    request: web.Request, desk: Desk, view: CardView, voucher: Voucher
) -> web.Response:
    now = request.config_dict[CLOCK].now()
    refused = decide_redeem(view.card, voucher, desk.session.staff, now)
    if refused is None:
        return _page(request, desk, view, voucher, "ask")
    if _is_returnable(request, desk, view, voucher):
        return _page(request, desk, view, voucher, "redeemed")
    refusal = say_refusal(desk.session, refused)
    return _page(request, desk, view, voucher, "refused", refusal)


def _page(
    request: web.Request,
    desk: Desk,
    view: CardView,
    voucher: Voucher,
    state: State,
    refusal: str = "",
) -> web.Response:
    context = {
        "state": state,
        "refusal": refusal,
        "view": view,
        "voucher": voucher,
        "returnable": _is_returnable(request, desk, view, voucher),
        "key": new_token(12),
    }
    return render_till(request, "reward.html", desk, context)


def _is_returnable(
    request: web.Request, desk: Desk, view: CardView, voucher: Voucher
) -> bool:
    now = request.config_dict[CLOCK].now()
    return decide_undo_redeem(view.card, voucher, desk.session.staff, now) is None
