"""A merchant's colours as a style sheet: pages allow no style of their own.

The two colours are the address, so the sheet needs no database and never changes.
"""

from __future__ import annotations

from aiohttp import web

from core.rules.colours import legible, mix
from core.rules.types import Look

routes = web.RouteTableDef()


def look_url(look: Look) -> str:
    """The address of the style sheet that sets --card, --on-card and --card-soft."""
    ink = legible(look.foreground, look.background)
    return f"/looks/{look.background[1:].upper()}-{ink[1:].upper()}.css"


@routes.get("/looks/{paper:[0-9A-F]{6}}-{ink:[0-9A-F]{6}}.css")
async def show_look(request: web.Request) -> web.Response:
    """The style sheet of two colours."""
    paper, ink = (f"#{request.match_info[name]}" for name in ("paper", "ink"))
    text = (
        f":root{{--card:{paper};--on-card:{ink};--card-soft:{mix(paper, ink, 0.12)}}}\n"
    )
    return web.Response(
        text=text,
        content_type="text/css",
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )
