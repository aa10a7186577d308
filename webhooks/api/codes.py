"""Till codes for a POS that shows them itself."""

from __future__ import annotations

from aiohttp import web

from core.actions.cards import load_card
from core.actions.channels import line_channel
from core.actions.shops import list_shops
from core.actions.till import make_till_code, till_code_state
from core.database import Tx
from webhooks.api.answers import card_answer, entry_answer, till_code_answer
from webhooks.api.call import Call, answer_key, api_call, read_body, reply
from webhooks.api.models import NewTillCode, TillCodeStateAnswer

routes = web.RouteTableDef()


@routes.post("/api/v1/till-codes")
@api_call
async def make_code(call: Call) -> web.Response:
    """201 with a fresh code; the same key again answers the same code."""
    body = await read_body(call, NewTillCode)
    code = await call.db.write(
        make_till_code,
        merchant_id=call.merchant.id,
        shop_key=body.shop,
        program_key=body.program,
        stamps=body.stamps,
        staff_id=None,
        now=call.now,
        key=answer_key(call, "till-codes"),
    )
    channel = await call.db.read(line_channel, call.merchant.id)
    return reply(till_code_answer(code, call.merchant, channel), 201)


@routes.get("/api/v1/till-codes/{code:[0-9A-Za-z]{6,8}}")
@api_call
async def show_code(call: Call) -> web.Response:
    """Where a code stands; the card and its entry once a customer claimed it."""
    code = call.request.match_info["code"].upper()
    return reply(await call.db.read(_state_of, call, code))


def _state_of(tx: Tx, call: Call, code: str) -> TillCodeStateAnswer:
    state = till_code_state(tx, call.merchant.id, code, call.now)
    if state.entry is None:
        return TillCodeStateAnswer(state=state.state, card=None, entry=None)
    view = load_card(tx, call.merchant.id, state.entry.card_id, call.now)
    return TillCodeStateAnswer(
        state=state.state,
        card=card_answer(view, call.merchant, call.links),
        entry=entry_answer(
            state.entry, call.merchant, list_shops(tx, call.merchant.id)
        ),
    )
