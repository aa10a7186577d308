"""From the card's page into LINE: a code that makes the two cards one.

The page shows it once somebody presses the button: a code that a link preview could
ask for would end the one that is being typed.
"""

from __future__ import annotations

from aiohttp import web

from core.actions.link import make_link_code
from core.links import chat_url
from core.rules.asking import Refused
from core.wording import say, say_time
from webhooks.card_links import CARD_PAGE, card_of
from webhooks.card_page import line_account
from webhooks.customer import render_card, sorry
from webhooks.keys import CLOCK, DB
from webhooks.limits import TryLimit, limit_key
from webhooks.pages import language_of

# Nobody needs one more often; each ends the one before it.
_codes = TryLimit(burst=20, seconds=10)

routes = web.RouteTableDef()


@routes.post(f"{CARD_PAGE}/link")
async def show_link_code(request: web.Request) -> web.Response:
    """A fresh code, and the link that puts it into the shop's chat."""
    view = await card_of(request)
    if isinstance(view, web.Response):
        return view
    parts, face = request.config_dict, view.face
    now, back = parts[CLOCK].now(), request.path.removesuffix("/link")
    account = await line_account(request, view)
    if not account:
        return sorry(request, "link_line", 409, back=back)
    if _codes.take(limit_key(view.card.id), now):
        return sorry(request, "many", 429)
    made = await parts[DB].write(make_link_code, face.merchant_id, view.card.id, now)
    if isinstance(made, Refused):
        return sorry(request, "link_line", 409, back=back)
    language = language_of(request)
    words = say("chat.page.text", language, code=made.code)
    context = {
        "page": back,
        "words": words,
        "chat": chat_url(account, words),
        "until": say_time(made.expires_at, face.timezone, language),
    }
    return render_card(request, "link.html", face, context)
