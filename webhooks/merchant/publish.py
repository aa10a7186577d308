"""Publishing a draft: what it does to the cards that are out there, then doing it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from aiohttp import web

from core.actions.publish import (
    CardsTo,
    PublishPreview,
    load_program,
    preview_publish,
)
from core.actions.publish import publish as publish_draft
from core.database import Tx
from core.rules.publishing import design_to_dict
from core.rules.types import (
    Design,
    MerchantId,
    Program,
    ProgramId,
)
from core.vault import same
from webhooks.forms import text_of
from webhooks.keys import CLOCK, DB
from webhooks.merchant.changes import changes
from webhooks.merchant.paths import CARD_PATH
from webhooks.merchant.preview import draw_preview
from webhooks.pages import language_of, render
from webhooks.sessions import require_session

Effects = Mapping[CardsTo, PublishPreview]

# What may become of the cards that are out there; the first is the usual one.
_CHOICES: tuple[CardsTo, ...] = ("move", "keep")

routes = web.RouteTableDef()


@routes.get(f"{CARD_PATH}/publish")
async def show_effect(request: web.Request) -> web.Response:
    """What changes, how many gain and lose by it, and how it will look."""
    return await _page(request)


@routes.post(f"{CARD_PATH}/publish")
async def publish(request: web.Request) -> web.Response:
    """Publish, if the draft is still the one that was shown."""
    session = require_session(request, "owner", "manager")
    parts, fields = request.config_dict, await request.post()
    program, _ = await _load(request)
    location = f"/merchant/cards/{program.id}"
    if program.draft is None:
        return web.Response(status=303, headers={"Location": location})
    cards = _cards_to(text_of(fields, "cards"))
    if not same(text_of(fields, "draft"), _digest(program.draft)):
        return await _page(request, has_moved=True, cards=cards)
    await parts[DB].write(
        publish_draft,
        session.merchant.id,
        program.id,
        session.staff.id,
        parts[CLOCK].now(),
        cards,
    )
    done = "published" if cards == "move" else "kept"
    return web.Response(status=303, headers={"Location": f"{location}?done={done}"})


def _cards_to(text: str) -> CardsTo:
    return "keep" if text == "keep" else "move"


async def _page(
    request: web.Request, *, has_moved: bool = False, cards: CardsTo = "move"
) -> web.Response:
    session = require_session(request, "owner", "manager")
    program, effects = await _load(request)
    if program.draft is None:
        location = f"/merchant/cards/{program.id}"
        return web.Response(status=303, headers={"Location": location})
    preview = await draw_preview(request, session.merchant, program, program.draft)
    context = {
        "program": program,
        "effects": effects,
        "chosen": cards,
        "has_expiry": program.design.expires != program.draft.expires,
        "changes": changes(program.design, program.draft, language_of(request)),
        "digest": _digest(program.draft),
        "preview": preview,
        "has_moved": has_moved,
    }
    status = 409 if has_moved else 200
    return render(
        request, "merchant/publish.html", context, status=status, is_packed=True
    )


async def _load(request: web.Request) -> tuple[Program, Effects]:
    session = require_session(request)
    program_id = ProgramId(request.match_info["program_id"])
    return await request.config_dict[DB].read(_both, session.merchant.id, program_id)


def _both(
    tx: Tx, merchant_id: MerchantId, program_id: ProgramId
) -> tuple[Program, Effects]:
    return (
        load_program(tx, merchant_id, program_id),
        {to: preview_publish(tx, merchant_id, program_id, to) for to in _CHOICES},
    )


def _digest(design: Design) -> str:
    text = json.dumps(design_to_dict(design), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
