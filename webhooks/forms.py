"""Reading what a browser sent, and putting what is wrong into words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import MultiDictProxy

from core.errors import Invalid
from core.rules.types import Language
from core.wording import say

Fields = MultiDictProxy[Any]

_MOST_DIGITS = 6


async def read_fields(request: web.Request) -> Fields:
    """The fields of a form; 400 for a body that is none."""
    try:
        return await request.post()
    except (ValueError, LookupError, AssertionError, HttpProcessingError):
        # aiohttp's words for text that is not UTF-8, and for broken multipart bodies.
        raise web.HTTPBadRequest from None


def whole_number(text: str) -> int | None:
    """A short run of digits as a number, else None."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """A text field as typed, without outer spaces; "" for none or for a file."""
    value = fields.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def texts_of(fields: Fields, name: str) -> list[str]:
    """All fields of this name in the order of the page; a file counts as ""."""
    values = fields.getall(name, [])
    return [v.strip() if isinstance(v, str) else "" for v in values]


def upload_of(fields: Mapping[str, Any], name: str) -> bytes | None:
    """The content of an uploaded file, or None when none was chosen. Blocks."""
    value = fields.get(name)
    if not isinstance(value, web.FileField) or not value.filename:
        return None
    return value.file.read()


def problems_in_words(error: Invalid, language: Language) -> dict[str, str]:
    """For each field that cannot be kept, a sentence in the reader's language."""
    return {
        field: say(key, language, **values)
        for field, (key, values) in error.problems.items()
    }


def local_path(wanted: str, otherwise: str) -> str:
    r"""`wanted` if it is a path of this site, else `otherwise`.

    Browsers read "//host" and "/\host" as another site, and drop tabs and newlines.
    """
    is_local = (
        wanted.startswith("/")
        and not wanted.startswith(("//", "/\\"))
        and wanted.isprintable()
    )
    return wanted if is_local else otherwise
