"""What every till page needs: who stands there, in which shop, with which programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from aiohttp import web

from core.actions.cards import CardView, card_by_code
from core.actions.publish import list_programs
from core.actions.reissue import find_old_code
from core.actions.shops import list_shops
from core.actions.signin import Session
from core.actions.till import MAX_STAMPS
from core.database import Tx
from core.errors import NotFound
from core.rules.types import Program, Shop
from core.vault import new_token
from webhooks.keys import CLOCK, DB
from webhooks.pages import render
from webhooks.sessions import require_session
from webhooks.till.queue import till_pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One till. `shop` is None until it is chosen among several."""

    session: Session
    shops: tuple[Shop, ...]
    shop: Shop | None
    programs: tuple[Program, ...]

    def program(self, key: str) -> Program | None:
        """The open program with this key, else the first; None where none is open."""
        found = (program for program in self.programs if program.key == key)
        return next(found, self.programs[0] if self.programs else None)


async def find_desk(request: web.Request) -> Desk:
    """The till of whoever is signed in; raises a redirect to sign in or to choose."""
    session = require_session(request, "owner", "manager", "clerk")
    desk = await request.config_dict[DB].read(_desk, session)
    if desk.shop is None and not request.path.startswith("/till/shop"):
        back = request.path_qs if request.method == "GET" else "/till/"
        raise web.HTTPSeeOther(f"/till/shop?next={quote(back, safe='')}")
    return desk


def render_till(
    request: web.Request,
    template: str,
    desk: Desk,
    context: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
) -> web.Response:
    """A till page, with its header."""
    shop_id = None if desk.shop is None else desk.shop.id
    shown = {"desk": desk, "till_pass": till_pass(request, desk.session, shop_id)}
    return render(
        request, f"till/{template}", {**shown, **(context or {})}, status=status
    )


async def find_card(request: web.Request, desk: Desk) -> CardView:
    """The card in the path. Raises `NotFound`, also for another merchant's card; for a
    code from before a re-issue a redirect to the page that says so.
    """
    parts = request.config_dict
    code, now = request.match_info["code"], parts[CLOCK].now()
    view = await parts[DB].read(card_by_code, code, now)
    if view is None:
        old = await parts[DB].read(find_old_code, code)
        if old is not None and old.merchant_id == desk.session.merchant.id:
            raise web.HTTPSeeOther(f"/c/{code}")
    if view is None or view.card.merchant_id != desk.session.merchant.id:
        raise NotFound("card")
    return view


def pad(desk: Desk, program: str) -> dict[str, Any]:
    """What the number pad shows; `program` is the key of the one it is for."""
    return {
        "program": desk.program(program),
        "key": new_token(12),
        "most": MAX_STAMPS,
    }


def _desk(tx: Tx, session: Session) -> Desk:
    shops = list_shops(tx, session.merchant.id)
    chosen = [shop for shop in shops if shop.id == session.shop_id]
    programs = list_programs(tx, session.merchant.id)
    return Desk(
        session=session,
        shops=tuple(shops),
        # One shop needs no choice, also where it was added after signing in.
        shop=chosen[0] if chosen else shops[0] if len(shops) == 1 else None,
        programs=tuple(p for p in programs if p.state == "active"),
    )
