"""How far a new look has got among the passes in customers' wallets."""

from __future__ import annotations

from aiohttp import web

from core.actions.passes import Behind, count_behind
from core.actions.publish import load_program
from core.rules.types import ProgramId
from webhooks.keys import DB
from webhooks.live import event_stream
from webhooks.merchant.paths import CARD_PATH
from webhooks.pages import render
from webhooks.sessions import require_session

routes = web.RouteTableDef()


@routes.get(f"{CARD_PATH}/progress/events")
async def follow_progress(request: web.Request) -> web.StreamResponse:
    """Server-sent events: the bar as HTML, until every pass has been told."""
    session = require_session(request, "owner", "manager", "viewer")
    program_id = ProgramId(request.match_info["program_id"])
    # Somebody else's program is not there.
    await request.config_dict[DB].read(load_program, session.merchant.id, program_id)
    is_over = False

    async def load() -> str | None:
        nonlocal is_over
        if is_over:
            return None
        behind = await how_far(request, program_id)
        is_over = not behind.n_waiting
        page = render(request, "merchant/progress.html", {"progress": behind})
        return page.text

    return await event_stream(request, (), load)


async def how_far(request: web.Request, program_id: ProgramId) -> Behind:
    """How many passes of a program wait for its new look."""
    session = require_session(request)
    return await request.config_dict[DB].read(
        count_behind, session.merchant.id, program_id
    )
