"""From the card's page into a wallet, and what else is below that page.

What cannot be done now is said on the page itself: the card is there all the same.
"""

from __future__ import annotations

import structlog
from aiohttp import hdrs, web

from core.actions.cards import card_by_id
from core.actions.passes import hold_pass, load_pass
from core.errors import DeliveryError
from passes.apple.issuer import CONTENT_TYPE
from webhooks.card_links import CARD_PAGE, card_of, page_url
from webhooks.card_page import card_in_words, render_page
from webhooks.customer import render_card
from webhooks.keys import APPLE, CLOCK, DB, GOOGLE, LINKS
from webhooks.live import event_stream
from webhooks.pages import language_of

routes = web.RouteTableDef()
log = structlog.get_logger()


@routes.get(f"{CARD_PAGE}.pkpass")
async def download(request: web.Request) -> web.Response:
    """The signed pass for Apple Wallet."""
    view = await card_of(request)
    if isinstance(view, web.Response):
        return view
    parts = request.config_dict
    now, face = parts[CLOCK].now(), view.face
    if not await parts[APPLE].configured(face.merchant_id):
        return await render_page(request, view, failed="wallet", status=404)
    held = await parts[DB].write(
        hold_pass, face.merchant_id, face.card_id, "apple", now, code=face.code
    )
    # Read again as one: the date must not be newer than what the pass shows.
    current = await parts[DB].read(load_pass, held.id, now)
    assert current is not None
    try:
        content = await parts[APPLE].build(current.held, current.face, now)
    except DeliveryError as error:
        log.warning("apple_pass_not_built", pass_id=held.id, error=str(error))
        return await render_page(request, view, failed="apple", status=503)
    response = web.Response(
        body=content,
        content_type=CONTENT_TYPE,
        headers={
            hdrs.CACHE_CONTROL: "no-store",
            hdrs.CONTENT_DISPOSITION: 'attachment; filename="card.pkpass"',
        },
    )
    response.last_modified = current.held.changed_at
    return response


@routes.get(f"{CARD_PAGE}/google")
async def go_to_google(request: web.Request) -> web.Response:
    """On to Google's page that saves the pass."""
    view = await card_of(request)
    if isinstance(view, web.Response):
        return view
    parts = request.config_dict
    now, face = parts[CLOCK].now(), view.face
    if not await parts[GOOGLE].configured(face.merchant_id):
        return await render_page(request, view, failed="wallet", status=404)
    held = await parts[DB].write(
        hold_pass, face.merchant_id, face.card_id, "google", now, code=face.code
    )
    try:
        url = await parts[GOOGLE].add_link(held, face, now)
    except DeliveryError as error:
        log.warning("google_link_not_made", pass_id=held.id, error=str(error))
        return await render_page(request, view, failed="google", status=503)
    headers = {hdrs.LOCATION: url, hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(status=302, headers=headers)


@routes.get(f"{CARD_PAGE}/events")
async def follow_card(request: web.Request) -> web.StreamResponse:
    """Server-sent events: the card as HTML, whenever it is another one."""
    view = await card_of(request)
    if isinstance(view, web.Response):
        return view
    language = language_of(request)

    async def load() -> str | None:
        fresh = await card_of(request)
        if isinstance(fresh, web.Response):
            return None
        face = fresh.face
        shown = render_card(
            request, "face.html", face, card_in_words(request, face, language)
        )
        return shown.text

    return await event_stream(request, {f"card:{view.card.id}"}, load)


@routes.get(f"{CARD_PAGE}/next")
async def go_on(request: web.Request) -> web.Response:
    """On to the page of the card that took over from this one, if one did."""
    view = await card_of(request)
    if isinstance(view, web.Response):
        return view
    target = page_url(request)
    if view.face.next_card_id is not None:
        parts = request.config_dict
        after = await parts[DB].read(
            card_by_id, view.face.next_card_id, parts[CLOCK].now()
        )
        if after is not None:
            target = f"/w/{parts[LINKS].sign('wallet', after.card.code)}"
    headers = {hdrs.LOCATION: target, hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(status=303, headers=headers)


@routes.get(f"{CARD_PAGE}/code")
async def show_code(request: web.Request) -> web.Response:
    """On to the holder's 会員証 page, whose link is good for minutes only."""
    view = await card_of(request)
    if isinstance(view, web.Response):
        return view
    page = request.config_dict[LINKS].member(view.card.id)
    target = f"{page}?lang={language_of(request)}"
    headers = {hdrs.LOCATION: target, hdrs.CACHE_CONTROL: "no-store"}
    return web.Response(status=303, headers=headers)


@routes.get(CARD_PAGE)
async def show_card(request: web.Request) -> web.Response:
    """The card's own page; with ?add= it goes on into that wallet by itself."""
    view = await card_of(request)
    if isinstance(view, web.Response):
        return view
    return await render_page(request, view, add=request.query.get("add", ""))
