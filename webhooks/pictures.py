"""Pictures of cards, for Google's servers, LINE and pages: the same for everybody.

An address names design, count and everything that is drawn, so its picture never
changes and may be kept for ever. Nothing about a person is in it.
"""

from __future__ import annotations

from aiohttp import hdrs, web

from core.actions.publish import load_design
from core.rules.types import ProgramId
from passes.art import REVISIONS, Art, WebKind, art_hash, read_picture_name
from passes.artwork import PictureKind
from webhooks.keys import ARTWORK, DB

routes = web.RouteTableDef()

# Pages show the strip at its sharpest.
_KINDS: dict[WebKind, tuple[PictureKind, int]] = {
    "hero": ("hero", 1),
    "logo": ("program_logo", 1),
    "strip": ("strip", 3),
}


@routes.get(r"/pictures/{program_id:[0-9A-Za-z_-]+}/{version:[1-9]\d{0,8}}/{name}.png")
async def show_picture(request: web.Request) -> web.Response:
    """The picture as PNG, or 404 for anything that no card of ours ever named."""
    wanted = read_picture_name(request.match_info["name"])
    if wanted is None:
        raise web.HTTPNotFound
    kind, balance, digest = wanted
    art = await _find_art(request)
    if art is None or not _is_drawn(art, kind, balance, digest):
        raise web.HTTPNotFound
    headers = {
        hdrs.ETAG: f'"{request.match_info["name"]}"',
        hdrs.CACHE_CONTROL: "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
    }
    if headers[hdrs.ETAG] in request.headers.get(hdrs.IF_NONE_MATCH, ""):
        return web.Response(status=304, headers=headers)
    name, scale = _KINDS[kind]
    artwork = request.config_dict[ARTWORK]
    picture = await artwork.draw(art, name, balance, scale)
    return web.Response(body=picture, content_type="image/png", headers=headers)


async def _find_art(request: web.Request) -> Art | None:
    program_id = ProgramId(request.match_info["program_id"])
    version = int(request.match_info["version"])
    found = await request.config_dict[DB].read(load_design, program_id, version)
    return None if found is None else Art.of_design(*found)


def _is_drawn(art: Art, kind: WebKind, balance: int, digest: str) -> bool:
    most = 0 if kind == "logo" else art.goal
    known = {art_hash(art, revision) for revision in REVISIONS}
    return balance <= most and digest in known
