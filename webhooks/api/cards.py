"""Cards: opened for people without LINE, found, and their ledgers."""

from __future__ import annotations

from aiohttp import web

from core.actions.cards import find_cards, ledger, load_card, load_entry
from core.actions.join import open_card
from core.actions.publish import find_program
from core.actions.shops import list_shops
from core.database import Tx
from core.errors import NotFound
from core.rules.types import CardId, EntryId
from webhooks.api.answers import card_answer, entry_answer
from webhooks.api.call import (
    Call,
    answer_key,
    api_call,
    read_body,
    read_query,
    reply,
)
from webhooks.api.models import (
    CardQuery,
    CardsAnswer,
    LedgerAnswer,
    LedgerQuery,
    NewCard,
)
from webhooks.api.problems import Problem

CARD = "/api/v1/cards/{id:[0-9A-Za-z]{1,40}}"

routes = web.RouteTableDef()


@routes.post("/api/v1/cards")
@api_call
async def add_card(call: Call) -> web.Response:
    """201 with a new card; the same key again answers the same card."""
    body = await read_body(call, NewCard)
    key = answer_key(call, "cards")
    program = await call.db.read(find_program, call.merchant.id, body.program)
    if program.state != "active":
        raise Problem(call.request, "program_closed")
    card_id = await call.db.write(
        open_card,
        merchant_id=call.merchant.id,
        program_key=body.program,
        key=key,
        now=call.now,
        name=body.name or "",
        external_id=body.external_id,
        language=call.merchant.languages[0] if call.merchant.languages else "ja",
    )
    view = await call.db.read(load_card, call.merchant.id, card_id, call.now)
    return reply(card_answer(view, call.merchant, call.links), 201)


@routes.get("/api/v1/cards")
@api_call
async def search_cards(call: Call) -> web.Response:
    """The cards of one customer; an empty list where there is none."""
    query = read_query(call, CardQuery)
    found = await call.db.read(
        find_cards, call.merchant.id, call.now, **query.model_dump(exclude_none=True)
    )
    return reply(
        CardsAnswer(
            cards=[card_answer(view, call.merchant, call.links) for view in found]
        )
    )


@routes.get(CARD)
@api_call
async def show_card(call: Call) -> web.Response:
    """One card."""
    card_id = CardId(call.request.match_info["id"])
    view = await call.db.read(load_card, call.merchant.id, card_id, call.now)
    return reply(card_answer(view, call.merchant, call.links))


@routes.get(f"{CARD}/ledger")
@api_call
async def show_ledger(call: Call) -> web.Response:
    """A page of the card's ledger, newest first."""
    query = read_query(call, LedgerQuery)
    card_id = CardId(call.request.match_info["id"])
    return reply(await call.db.read(_ledger, call, card_id, query))


def _ledger(tx: Tx, call: Call, card_id: CardId, query: LedgerQuery) -> LedgerAnswer:
    merchant_id = call.merchant.id
    load_card(tx, merchant_id, card_id, call.now)
    before = None if query.next is None else EntryId(query.next)
    if before is not None:
        _check(tx, call, card_id, before)
    # One more than asked for tells whether there is a page after this one.
    found = ledger(tx, merchant_id, card_id, before=before, limit=query.limit + 1)
    page = found[: query.limit]
    shops = list_shops(tx, merchant_id)
    return LedgerAnswer(
        entries=[entry_answer(entry, call.merchant, shops) for entry in page],
        next=page[-1].id if len(found) > len(page) else None,
    )


def _check(tx: Tx, call: Call, card_id: CardId, before: EntryId) -> None:
    try:
        known = load_entry(tx, call.merchant.id, before).card_id == card_id
    except NotFound:
        known = False
    if not known:
        errors = [{"pointer": "?next", "detail": "not from this ledger"}]
        raise Problem(call.request, "invalid", errors)
