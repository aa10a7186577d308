"""Stamps that a machine gives to a card it knows."""

from __future__ import annotations

from aiohttp import web

from core.actions.cards import load_card, load_entry
from core.actions.grant import grant_stamps
from core.actions.shops import list_shops
from core.database import Tx
from core.errors import Invalid, NotFound
from core.rules.asking import Granted, Refused, StampAsk
from core.rules.types import CardId, Shop
from webhooks.api.answers import card_answer, entry_answer, local
from webhooks.api.call import Call, answer_key, api_call, read_body, reply
from webhooks.api.cards import CARD
from webhooks.api.models import NewStamps, StampsAnswer
from webhooks.api.problems import Problem
from webhooks.metrics import count_stamps

routes = web.RouteTableDef()


@routes.post(f"{CARD}/stamps")
@api_call
async def add_stamps(call: Call) -> web.Response:
    """200 with what happened: granted, or refused and why."""
    body = await read_body(call, NewStamps)
    key = answer_key(call, "stamps")
    card_id = CardId(call.request.match_info["id"])
    shop = await call.db.read(_shop_of, call, card_id, body.shop)
    ask = StampAsk(
        merchant_id=call.merchant.id,
        key=key,
        how="api",
        card_id=card_id,
        stamps=body.n or 1,
        amount=body.amount,
        shop_id=None if shop is None else shop.id,
    )
    try:
        outcome = await call.db.write(grant_stamps, ask, call.now)
    except Invalid as error:
        if error.problems.get("amount", ("",))[0] == "invalid.amount":
            raise Problem(call.request, "amount_not_configured") from None
        raise
    count_stamps(call.request, "api", outcome)
    # After a rank-up the stamps are on another card than was asked for.
    shown = outcome.card_id or card_id
    return reply(await call.db.read(_answer, call, shown, outcome))


def _shop_of(tx: Tx, call: Call, card_id: CardId, key: str | None) -> Shop | None:
    load_card(tx, call.merchant.id, card_id, call.now)
    shops = list_shops(tx, call.merchant.id)
    if key is None:
        return shops[0] if len(shops) == 1 else None
    found = next((shop for shop in shops if shop.key == key), None)
    if found is None:
        raise NotFound("shop")
    return found


def _answer(
    tx: Tx, call: Call, card_id: CardId, outcome: Granted | Refused
) -> StampsAnswer:
    card = card_answer(
        load_card(tx, call.merchant.id, card_id, call.now), call.merchant, call.links
    )
    match outcome:
        case Granted():
            shops = list_shops(tx, call.merchant.id)
            entry = load_entry(tx, call.merchant.id, outcome.entry_id)
            return StampsAnswer(
                outcome="granted",
                why=None,
                retry_at=None,
                entry=entry_answer(entry, call.merchant, shops),
                card=card,
            )
        case Refused():
            return StampsAnswer(
                outcome="refused",
                why=outcome.why,
                retry_at=local(outcome.retry_at, call.merchant),
                entry=None,
                card=card,
            )
