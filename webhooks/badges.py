"""Apple's and Google's own "Add to Wallet" badges, where the operator has put them.

Only their own files may be shown, unaltered, and they are not ours to ship: the
operator drops them into the data folder as `badges/apple.ja.svg`, `apple.en.svg`,
`google.ja.svg` and `google.en.svg`. Without one there is a plain button with words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from aiohttp import web

from core.config import Settings
from core.rules.types import IssuerName, Language
from webhooks.keys import SETTINGS

FOLDER = "badges"
LARGEST = 200_000

routes = web.RouteTableDef()


@routes.get("/badges/{wallet:apple|google}.{language:ja|en}.svg")
async def show_badge(request: web.Request) -> web.Response:
    """The operator's file, or 404."""
    name = "{wallet}.{language}.svg".format(**request.match_info)
    file = _file(request.config_dict[SETTINGS], name)
    content = await asyncio.to_thread(_read, file)
    if content is None:
        raise web.HTTPNotFound
    headers = {"Cache-Control": "public, max-age=3600"}
    return web.Response(body=content, content_type="image/svg+xml", headers=headers)


async def badges_of(
    settings: Settings, wallets: Iterable[IssuerName], language: Language
) -> dict[IssuerName, str]:
    """The badge's address for each wallet that has one in this language."""
    names = {wallet: f"{wallet}.{language}.svg" for wallet in wallets}

    def present() -> dict[IssuerName, str]:
        return {
            wallet: f"/badges/{name}"
            for wallet, name in names.items()
            if _file(settings, name).is_file()
        }

    return await asyncio.to_thread(present)


def _file(settings: Settings, name: str) -> Path:
    return settings.data_dir / FOLDER / name


def _read(file: Path) -> bytes | None:
    try:
        content = file.read_bytes()
    except OSError:
        return None
    return content if len(content) <= LARGEST else None
