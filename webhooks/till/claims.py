"""Claims of missing stamps: staff see them, managers and owners decide with one tap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web

from core.actions.cards import CardView, load_card
from core.actions.claims import approve_claim, list_claims, reject_claim
from core.actions.giving import Gave
from core.actions.till import MAX_STAMPS
from core.errors import Invalid
from core.rules.asking import Refused
from core.rules.claiming import MAX_TEXT, ClaimView
from core.rules.types import ClaimId, EntryId, Role, Why
from core.vault import new_token
from core.wording import say, say_time
from webhooks.forms import problems_in_words, read_fields, text_of
from webhooks.keys import CLOCK, DB
from webhooks.till.desk import Desk, find_desk, render_till
from webhooks.till.mode import stamps_of
from webhooks.till.refusals import say_refusal

DECIDES: tuple[Role, ...] = ("owner", "manager")

_CLAIM = "/till/claims/{claim:[0-9A-Z]{26}}"

routes = web.RouteTableDef()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What was just decided, or why not: `words`; of stamps also where to undo."""

    kind: Literal["done", "off", "bad"]
    words: str
    stamps: int = 0
    view: CardView | None = None
    entry_id: EntryId | None = None


@routes.get("/till/claims")
async def show_claims(request: web.Request) -> web.Response:
    """The open claims, each with what the customer tried before."""
    return await _page(request, await find_desk(request))


@routes.post(f"{_CLAIM}/approve")
async def approve(request: web.Request) -> web.Response:
    """Give the missing stamps; the same key gets the same page."""
    desk = await find_desk(request)
    parts = request.config_dict
    fields = await read_fields(request)
    claim_id = ClaimId(request.match_info["claim"])
    stamps = stamps_of(text_of(fields, "n"))
    if stamps is None:
        raise web.HTTPBadRequest
    now = parts[CLOCK].now()
    outcome = await parts[DB].write(
        approve_claim,
        merchant_id=desk.session.merchant.id,
        claim_id=claim_id,
        by=desk.session.staff,
        # The number is in it: another number is another wish, not the same one again.
        key=f"till-claim:{_key(fields)}:{claim_id}:{stamps}",
        now=now,
        stamps=stamps,
        shop_id=None if desk.shop is None else desk.shop.id,
    )
    if isinstance(outcome, Refused):
        return await _page(request, desk, _refused(desk, outcome))
    return await _page(request, desk, await _gave(request, desk, outcome))


@routes.post(f"{_CLAIM}/reject")
async def reject(request: web.Request) -> web.Response:
    """Give nothing, with words for the customer; the same key gets the same page."""
    desk = await find_desk(request)
    parts = request.config_dict
    fields = await read_fields(request)
    claim_id = ClaimId(request.match_info["claim"])
    language = desk.session.language
    try:
        outcome = await parts[DB].write(
            reject_claim,
            merchant_id=desk.session.merchant.id,
            claim_id=claim_id,
            by=desk.session.staff,
            answer=text_of(fields, "answer"),
            key=f"till-reject:{_key(fields)}:{claim_id}",
            now=parts[CLOCK].now(),
        )
    except Invalid as error:
        words = problems_in_words(error, language)
        return await _page(request, desk, _Said(kind="bad", words=words["answer"]))
    if isinstance(outcome, Refused):
        return await _page(request, desk, _refused(desk, outcome))
    words_done = say("till.claim_rejected", language)
    return await _page(request, desk, _Said(kind="off", words=words_done))


@routes.get(f"{_CLAIM}/approve")
@routes.get(f"{_CLAIM}/reject")
async def come_back(request: web.Request) -> web.Response:
    """The answer's address, opened again without its form: the claims as they are."""
    del request
    return web.Response(status=303, headers={"Location": "/till/claims"})


def _key(fields: Any) -> str:
    return text_of(fields, "key")[:64] or new_token()


def _refused(desk: Desk, refused: Refused) -> _Said:
    # The general sentences speak of stamps and rewards that somebody took or used.
    own = {
        Why.already_used: "till.claim_decided",
        Why.not_allowed: "till.claim_manager",
    }
    if refused.why in own:
        return _Said(kind="bad", words=say(own[refused.why], desk.session.language))
    return _Said(kind="bad", words=say_refusal(desk.session, refused))


async def _gave(request: web.Request, desk: Desk, gave: Gave) -> _Said:
    parts = request.config_dict
    where = (desk.session.merchant.id, gave.card_id, parts[CLOCK].now())
    return _Said(
        kind="done",
        words=say("till.done", desk.session.language),
        stamps=gave.stamps,
        view=await parts[DB].read(load_card, *where),
        entry_id=gave.entry_id,
    )


async def _page(
    request: web.Request, desk: Desk, said: _Said | None = None
) -> web.Response:
    merchant_id = desk.session.merchant.id
    found = await request.config_dict[DB].read(list_claims, merchant_id)
    context = {
        "claims": [(each, _made_at(desk, each), _tries(desk, each)) for each in found],
        "decides": desk.session.staff.role in DECIDES,
        "said": said,
        "view": said and said.view,
        "key": new_token(12),
        "most": MAX_STAMPS,
        "longest": MAX_TEXT,
    }
    return render_till(request, "claims.html", desk, context)


def _made_at(desk: Desk, each: ClaimView) -> str:
    zone = desk.session.merchant.timezone
    return say_time(each.claim.made_at, zone, desk.session.language)


def _tries(desk: Desk, each: ClaimView) -> list[tuple[str, str, str]]:
    """When the customer tried, why it was refused, and the code they sent."""
    zone, language = desk.session.merchant.timezone, desk.session.language
    return [
        (say_time(one.at, zone, language), say(f"tried.{one.why}", language), one.code)
        for one in each.claim.refusals
    ]
