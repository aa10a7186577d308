"""Cards that were put together and can be taken apart: what pages say of them, the
customer's and the till's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from core.actions.cards import CardView
from core.actions.unlink import UnlinkPreview, link_with, links_of, preview_unlink
from core.rules.asking import Refused
from core.rules.linking import Link, LinkId
from core.rules.types import Language, Staff, Why
from core.wording import say, say_time
from webhooks.keys import CLOCK, DB


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLine:
    """A linking in words, with the id that its page is asked by."""

    id: LinkId
    text: str
    until: str


async def links_in_words(
    request: web.Request, view: CardView, language: Language
) -> list[LinkLine]:
    """What was put together with this card and can still be taken apart."""
    parts, now = request.config_dict, request.config_dict[CLOCK].now()
    merchant_id, zone = view.card.merchant_id, view.face.timezone
    links = await parts[DB].read(links_of, merchant_id, view.customer.id, now)
    key = "unlink.linked" if view.customer.line_user_id else "unlink.joined"
    return [
        LinkLine(
            id=link.id,
            text=say(key, language, time=say_time(link.linked_at, zone, language)),
            until=say(
                "unlink.until", language, until=say_time(link.until, zone, language)
            ),
        )
        for link in links
    ]


async def find_link(request: web.Request, view: CardView, text: str) -> Link | None:
    """The linking with this id if it is one of the card's holder, apart or not."""
    where = (view.card.merchant_id, view.customer.id, LinkId(text[:40]))
    return await request.config_dict[DB].read(link_with, *where)


async def is_apart(request: web.Request, link: Link) -> bool:
    """Was it taken back meanwhile, by somebody else or in another window?"""
    where = (link.merchant_id, link.to_id, link.id)
    found = await request.config_dict[DB].read(link_with, *where)
    return found is not None and found.undone_at is not None


async def look_ahead(
    request: web.Request, link: Link, by: Staff | None, language: Language
) -> dict[str, Any]:
    """What taking it back would do (`ahead`), or `why` it would not."""
    found = await request.config_dict[DB].write(
        preview_unlink,
        merchant_id=link.merchant_id,
        link_id=link.id,
        by=by,
        now=request.config_dict[CLOCK].now(),
    )
    if isinstance(found, UnlinkPreview):
        return {"link": link.id, "ahead": found, "why": ""}
    return {"link": link.id, "ahead": None, "why": why_not(found, language)}


def why_not(refused: Refused, language: Language) -> str:
    """Why the cards stay together, in a sentence."""
    keys = {
        Why.already_used: "unlink.used",
        Why.already_linked: "unlink.later",
        Why.not_allowed: "unlink.manager",
    }
    return say(keys.get(refused.why, "unlink.changed"), language)
