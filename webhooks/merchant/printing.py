"""Having something printed: the words on it, and the file as a download."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec

from aiohttp import web

from core.rules.types import Language, Merchant, Program, Shop, TillCode
from core.wording import say
from passes.paper.modules import print_png
from passes.paper.poster import Paper, Poster, draw_poster
from webhooks.merchant.code_list import Connections

P = ParamSpec("P")

# One printer: a sheet of a thousand codes takes a second or two, and whoever asks for
# several waits in line instead of taking the machine from those who stamp.
_PRINTER = ThreadPoolExecutor(1, thread_name_prefix="print")

# The files of a poster, as they end an address.
FILES = r"{file:a4\.pdf|a6\.pdf|qr\.png}"
_PAPERS: dict[str, Paper] = {"a4.pdf": "a4", "a6.pdf": "a6"}


async def in_print(
    draw: Callable[P, bytes], *args: P.args, **kwargs: P.kwargs
) -> bytes:
    """What `draw` draws, off the event loop."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_PRINTER, lambda: draw(*args, **kwargs))


async def print_poster(poster: Poster, file: str, name: str) -> web.Response:
    """The poster as `file` ("a4.pdf", "a6.pdf", "qr.png"), to be kept as `name`-….

    Raises ValueError where its address is too long for a QR code.
    """
    if file == "qr.png":
        content = await in_print(print_png, poster.qr)
        return download(content, "image/png", f"{name}-{file}")
    content = await in_print(draw_poster, poster, _PAPERS[file])
    return download(content, "application/pdf", f"{name}-{file}")


def download(content: bytes, kind: str, name: str) -> web.Response:
    """A file to keep; `name` is of plain letters."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(body=content, content_type=kind, headers=headers)


def join_poster(
    merchant: Merchant,
    program: Program,
    url: str,
    connections: Connections,
    language: Language,
) -> Poster:
    """A poster whose code leads to `url`, the page on which the card is had."""
    bonus = program.design.bonus
    names = [say(f"codes.poster.{way}", language) for way in connections.ways]
    joint = say("codes.poster.ways_joint", language)
    ways = (
        say("codes.poster.ways", language, ways=joint.join(names))
        if names
        else say("codes.poster.ways_none", language)
    )
    return Poster(
        language=language,
        look=program.design.look,
        owner=merchant.name,
        title=program.design.name,
        promise=_promise(program, language),
        call=say("codes.poster.join_call", language),
        qr=url,
        letters=url,
        steps=(ways, say("codes.poster.no_form", language)),
        notes=(say("codes.poster.bonus", language, n=bonus),) if bonus else (),
    )


def stamp_poster(
    merchant: Merchant,
    program: Program,
    shop: Shop,
    code: TillCode,
    url: str,
    language: Language,
) -> Poster:
    """A poster whose code gives stamps."""
    notes = [say("codes.poster.daily", language)]
    if code.radius_m is not None:
        notes.append(
            say("codes.poster.near", language, shop=shop.name, n=code.radius_m)
        )
    steps = ("codes.poster.step_1", "codes.poster.step_2", "codes.poster.step_3")
    return Poster(
        language=language,
        look=program.design.look,
        owner=f"{merchant.name} {shop.name}",
        title=program.design.name,
        promise=_promise(program, language),
        call=say("codes.poster.stamp_call", language, n=code.stamps),
        qr=url,
        letters=grouped(code.code),
        steps=tuple(say(step, language) for step in steps),
        notes=tuple(notes),
    )


def grouped(code: str) -> str:
    """A code's eight letters as people read them out: 7K3Q-9FJ2."""
    return f"{code[:4]}-{code[4:]}"


def _promise(program: Program, language: Language) -> str:
    last = max(program.design.rewards, key=lambda r: r.at, default=None)
    if last is None:
        return ""
    return say("codes.poster.promise", language, n=last.at, reward=last.name)
