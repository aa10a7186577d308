"""Customers who ask for their reward wait on top of the till: one tap confirms it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from aiohttp import web

from core.actions.cards import CardView, load_card
from core.actions.redeem import load_voucher
from core.actions.redemptions import (
    cancel_redemption,
    confirm_redemption,
    load_redemption,
)
from core.actions.waiting import AtTills, waiting_at_tills
from core.database import Tx
from core.rules.asking import Redeemed, Refused
from core.rules.redeeming import RedemptionId, decide_undo_redeem
from core.rules.types import Voucher
from core.vault import new_token
from webhooks.forms import read_fields, text_of
from webhooks.keys import CLOCK, DB
from webhooks.live import event_stream
from webhooks.pages import render
from webhooks.till.auto import show_auto
from webhooks.till.counter import show_ready
from webhooks.till.desk import Desk, find_desk
from webhooks.till.mode import kept_mode
from webhooks.till.refusals import say_refusal
from webhooks.till.waiting import waiting_context

_ASKED = "/till/asked/{asked:[0-9A-Z]{26}}"

routes = web.RouteTableDef()


State = Literal["redeemed", "returned", "cancelled", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of a request, as the page says it; `refusal` for "refused"."""

    state: State
    view: CardView
    voucher: Voucher
    is_returnable: bool
    refusal: str = ""


@routes.get("/till/asked/events")
async def follow_asked(request: web.Request) -> web.StreamResponse:
    """Server-sent events: who waits, as HTML, whenever that is somebody else."""
    desk = await find_desk(request)
    parts = request.config_dict
    merchant_id = desk.session.merchant.id
    shown: AtTills | None = None
    html = ""

    async def load() -> str:
        nonlocal shown, html
        now = parts[CLOCK].now()
        found = await parts[DB].read(waiting_at_tills, merchant_id, now)
        if found != shown:
            # Only then: each drawing has keys of its own.
            shown, html = found, _draw(request, desk, found, now)
        return html

    topics = {f"tills:{merchant_id}", f"claims:{merchant_id}"}
    return await event_stream(request, topics, load)


@routes.post(f"{_ASKED}/confirm")
async def confirm_asked(request: web.Request) -> web.Response:
    """Hand the reward over; the same key gets the same page."""
    desk = await find_desk(request)
    asked_id = RedemptionId(request.match_info["asked"])
    key = text_of(await read_fields(request), "key")[:64] or new_token()
    outcome = await request.config_dict[DB].write(
        confirm_redemption,
        merchant_id=desk.session.merchant.id,
        redemption_id=asked_id,
        by=desk.session.staff,
        key=f"till-confirm:{key}:{asked_id}",
        now=request.config_dict[CLOCK].now(),
        shop_id=None if desk.shop is None else desk.shop.id,
    )
    return await _answer(request, desk, asked_id, outcome)


@routes.post(f"{_ASKED}/cancel")
async def cancel_asked(request: web.Request) -> web.Response:
    """Let the request wait no longer; the customer keeps the reward."""
    desk = await find_desk(request)
    asked_id = RedemptionId(request.match_info["asked"])
    outcome = await request.config_dict[DB].write(
        cancel_redemption,
        merchant_id=desk.session.merchant.id,
        redemption_id=asked_id,
        now=request.config_dict[CLOCK].now(),
        by=desk.session.staff,
    )
    refused = outcome if isinstance(outcome, Refused) else None
    return await _answer(request, desk, asked_id, refused)


@routes.get(f"{_ASKED}/confirm")
@routes.get(f"{_ASKED}/cancel")
async def come_back(request: web.Request) -> web.Response:
    """The answer's address, opened again without its form: the till."""
    del request
    return web.Response(status=303, headers={"Location": "/till/"})


def _draw(request: web.Request, desk: Desk, found: AtTills, now: datetime) -> str:
    context = {"desk": desk, **waiting_context(found, now)}
    # Nobody is news too: a stream tells no difference between "" and nothing yet.
    return render(request, "till/asked.html", context).text or " "


async def _answer(
    request: web.Request,
    desk: Desk,
    asked_id: RedemptionId,
    outcome: Redeemed | Refused | None,
) -> web.Response:
    parts = request.config_dict
    now = parts[CLOCK].now()
    told = await parts[DB].read(_tell, desk, asked_id, outcome, now)
    mode = kept_mode(request)
    if mode.is_auto:
        return await show_auto(request, desk, mode, told=told)
    return await show_ready(request, desk, told=told)


def _tell(
    tx: Tx,
    desk: Desk,
    asked_id: RedemptionId,
    outcome: Redeemed | Refused | None,
    now: datetime,
) -> Told:
    """`outcome` is None for a request that was cancelled."""
    merchant_id = desk.session.merchant.id
    asked = load_redemption(tx, merchant_id, asked_id, now)
    voucher = load_voucher(tx, merchant_id, asked.voucher_id)
    view = load_card(tx, merchant_id, voucher.card_id, now)
    refusal = ""
    state: State = "cancelled"
    if isinstance(outcome, Refused):
        refusal, state = say_refusal(desk.session, outcome), "refused"
    elif outcome is not None:
        # An old form sent again: what it did may have been taken back meanwhile.
        stands = voucher.redemption_id == outcome.entry_id
        state = "redeemed" if stands else "returned"
    by = desk.session.staff
    return Told(
        state=state,
        view=view,
        voucher=voucher,
        is_returnable=state == "redeemed"
        and decide_undo_redeem(view.card, voucher, by, now) is None,
        refusal=refusal,
    )
