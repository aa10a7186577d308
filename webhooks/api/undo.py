"""Taking grants back, and using vouchers: a refusal is a problem with its `why`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel

from core.actions.cards import load_card, load_entry
from core.actions.redeem import load_voucher, redeem_voucher, undo_redeem
from core.actions.shops import list_shops
from core.actions.undo import undo_grant
from core.database import Tx
from core.errors import NotFound
from core.rules.asking import Refused, Undone
from core.rules.types import EntryId, ShopId, VoucherId
from webhooks.api.answers import card_answer, entry_answer, voucher_answer
from webhooks.api.call import Call, answer_key, api_call, read_body, reply
from webhooks.api.models import NewRedemption, NewUndo, UndoAnswer
from webhooks.api.problems import Problem

_ID = "{id:[0-9A-Za-z]{1,40}}"

M = TypeVar("M", bound=BaseModel)

routes = web.RouteTableDef()


@routes.post(f"/api/v1/entries/{_ID}/undo")
@api_call
async def undo_entry(call: Call) -> web.Response:
    """200 with the counter-entry and the card; the same key again answers the same."""
    body = await _read_optional(call, NewUndo)
    outcome = await call.db.write(
        undo_grant,
        merchant_id=call.merchant.id,
        entry_id=EntryId(call.request.match_info["id"]),
        by=None,
        reason=body.reason,
        key=answer_key(call, "undo"),
        now=call.now,
    )
    if isinstance(outcome, Refused):
        raise Problem(call.request, outcome.why.value)
    return reply(await call.db.read(_undone, call, outcome))


@routes.post(f"/api/v1/vouchers/{_ID}/redeem")
@api_call
async def redeem(call: Call) -> web.Response:
    """200 with the used voucher; the same key again answers it too."""
    return await _use(call, redeem_voucher, "redeem")


@routes.post(f"/api/v1/vouchers/{_ID}/undo")
@api_call
async def give_back(call: Call) -> web.Response:
    """200 with the voucher, usable again; the same key again answers it too."""
    return await _use(call, undo_redeem, "unredeem")


async def _use(call: Call, act: Callable[..., object], name: str) -> web.Response:
    body = await _read_optional(call, NewRedemption)
    voucher_id = VoucherId(call.request.match_info["id"])
    outcome = await call.db.write(
        act,
        merchant_id=call.merchant.id,
        voucher_id=voucher_id,
        by=None,
        key=answer_key(call, name),
        now=call.now,
        shop_id=await call.db.read(_shop_id, call, body),
    )
    if isinstance(outcome, Refused):
        raise Problem(call.request, outcome.why.value)
    return await _voucher(call, voucher_id)


async def _read_optional(call: Call, model: type[M]) -> M:
    if not call.request.can_read_body:
        return model()
    return await read_body(call, model)


def _shop_id(tx: Tx, call: Call, body: NewRedemption) -> ShopId | None:
    shops = list_shops(tx, call.merchant.id)
    if body.shop is None:
        return shops[0].id if len(shops) == 1 else None
    found = next((shop for shop in shops if shop.key == body.shop), None)
    if found is None:
        raise NotFound("shop")
    return found.id


def _undone(tx: Tx, call: Call, outcome: Undone) -> UndoAnswer:
    merchant_id = call.merchant.id
    entry = load_entry(tx, merchant_id, outcome.entry_id)
    view = load_card(tx, merchant_id, outcome.card_id, call.now)
    return UndoAnswer(
        entry=entry_answer(entry, call.merchant, list_shops(tx, merchant_id)),
        card=card_answer(view, call.merchant, call.links),
    )


async def _voucher(call: Call, voucher_id: VoucherId) -> web.Response:
    voucher = await call.db.read(load_voucher, call.merchant.id, voucher_id)
    return reply(voucher_answer(voucher, call.merchant))
