"""What every till page needs: who stands there, in which shop, with which programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from aiohttp import web

from core.actions.publish import list_programs
from core.actions.shops import list_shops
from core.actions.signin import Session
from core.database import Tx
from core.rules.types import Program, Shop
from webhooks.keys import DB
from webhooks.pages import render
from webhooks.sessions import require_session


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
    return render(
        request, f"till/{template}", {"desk": desk, **(context or {})}, status=status
    )


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
