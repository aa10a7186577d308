"""The preview: one sample card as the chat, Apple Wallet and Google Wallet show it.

Drawn from what the bot would send and what the wallets would be given, so it cannot
promise what customers will not see.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web
from markupsafe import Markup

from bot.flex import card_in_words
from bot.messages import Reader
from bot.replies import after_grant
from core.actions.publish import list_programs, load_program
from core.actions.shops import list_shops
from core.database import Tx
from core.rules.asking import Granted
from core.rules.colours import TEXT_CONTRAST, contrast_ratio
from core.rules.face import CardFace
from core.rules.types import (
    Design,
    EntryId,
    Merchant,
    Program,
    ProgramId,
    Shop,
)
from passes.art import Art
from webhooks.forms import text_of, whole_number
from webhooks.keys import ARTWORK, CLOCK, DB, LINKS
from webhooks.merchant.design_form import read_form
from webhooks.merchant.draw_flex import draw_bubble
from webhooks.merchant.draw_passes import draw_apple, draw_google
from webhooks.merchant.paths import CARD_PATH
from webhooks.merchant.sample import sample_balance, sample_face
from webhooks.pages import language_of, render
from webhooks.sessions import require_session

routes = web.RouteTableDef()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Three drawings of one card, its stamps, whether its text is hard to read, and
    whether Google's code changes.
    """

    chat: Markup
    apple: Markup
    google: Markup
    balance: int
    goal: int
    is_pale: bool
    is_changing: bool


@routes.post(f"{CARD_PATH}/preview")
async def show_preview(request: web.Request) -> web.Response:
    """A fragment of HTML for the form as it is typed at this moment."""
    session = require_session(request, "owner", "manager")
    fields = await request.post()
    program_id = ProgramId(request.match_info["program_id"])
    program = await request.config_dict[DB].read(
        load_program, session.merchant.id, program_id
    )
    design = read_form(fields).design_or(program.draft or program.design)
    preview = await draw_preview(
        request, session.merchant, program, design, text_of(fields, "balance")
    )
    return render(
        request, "merchant/preview.html", {"preview": preview}, is_packed=True
    )


async def draw_preview(
    request: web.Request,
    merchant: Merchant,
    program: Program,
    design: Design,
    balance: str = "",
) -> Preview:
    """Draw `design` with `balance` stamps, or with some of them for none given."""
    parts, language = request.config_dict, language_of(request)
    wanted = whole_number(balance)
    count = min(sample_balance(design) if wanted is None else wanted, design.goal)
    shops, names = await parts[DB].read(_around, merchant)
    now = parts[CLOCK].now()
    following = names.get(design.next_program or "")
    face = sample_face(
        merchant, program, design, shops, count, language, now, following
    )
    art = Art.of_design(merchant.id, design)
    pictures = {
        "logo": await parts[ARTWORK].draw(art, "logo", scale=2),
        "strip": await parts[ARTWORK].draw(art, "strip", count, 2),
        "program_logo": await parts[ARTWORK].draw(art, "program_logo"),
        "hero": await parts[ARTWORK].draw(art, "hero", count),
    }
    label = card_in_words(face, language)
    look = design.look
    # The first QR code of a process takes longer than others should wait.
    apple = await asyncio.to_thread(draw_apple, face, pictures, language, label)
    google = await asyncio.to_thread(draw_google, face, pictures, language, label)
    return Preview(
        chat=_chat(request, merchant, face, label),
        apple=apple,
        google=google,
        balance=count,
        goal=design.goal,
        is_pale=contrast_ratio(look.foreground, look.background) < TEXT_CONTRAST,
        is_changing=design.changing_code,
    )


def _chat(
    request: web.Request, merchant: Merchant, face: CardFace, label: str
) -> Markup:
    """The bot's own answer to a stamp."""
    reader = Reader(
        merchant=merchant,
        language=language_of(request),
        links=request.config_dict[LINKS],
        has_wallet=True,
    )
    outcome = Granted(card_id=face.card_id, entry_id=EntryId("preview"), stamps=1)
    message = after_grant(outcome, [face], reader)[0]
    return draw_bubble(message["contents"], label)


def _around(tx: Tx, merchant: Merchant) -> tuple[list[Shop], dict[str, str]]:
    """The merchant's shops, and its cards' names by their keys."""
    names = {p.key: p.design.name for p in list_programs(tx, merchant.id)}
    return list(list_shops(tx, merchant.id)), names
