"""Style sheets, scripts and icons: read once, served with a content hash in the URL."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from aiohttp import web

routes = web.RouteTableDef()

_YEAR = "public, max-age=31536000, immutable"
_TEXTS = {".css", ".js", ".svg"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of webhooks/static as it goes over the wire."""

    content: bytes
    packed: bytes | None
    kind: str
    digest: str


def static_url(name: str) -> str:
    """The URL of a file in webhooks/static; KeyError for a file that is not there."""
    return f"/static/{name}?v={_assets()[name].digest}"


@routes.get("/static/{name}")
async def serve_asset(request: web.Request) -> web.Response:
    """One file; for ever where the URL carries its present hash."""
    asset = _assets().get(request.match_info["name"])
    if asset is None:
        raise web.HTTPNotFound
    headers = {
        "Content-Type": asset.kind,
        "ETag": f'"{asset.digest}"',
        "Vary": "Accept-Encoding",
        "Cache-Control": (
            _YEAR if request.query.get("v") == asset.digest else "no-cache"
        ),
    }
    if any(tag.value == asset.digest for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    if asset.packed and "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=asset.packed, headers=headers)
    return web.Response(body=asset.content, headers=headers)


@cache
def _assets() -> dict[str, Asset]:
    found = {}
    for file in files("webhooks").joinpath("static").iterdir():
        if not file.is_file():
            continue
        suffix = "." + file.name.rsplit(".", 1)[-1]
        content = file.read_bytes()
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        found[file.name] = Asset(
            content=content,
            # Static files hold no secrets, so packing them tells an attacker nothing;
            # pages with a CSRF token are sent unpacked for that reason (BREACH).
            packed=gzip.compress(content, 9, mtime=0) if suffix in _TEXTS else None,
            kind=f"{kind}; charset=utf-8" if suffix in _TEXTS else kind,
            digest=hashlib.sha256(content).hexdigest()[:12],
        )
    return found
