"""Somebody at the settings page, over real HTTP."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from core.clock import Clock
from core.config import Settings
from core.database import Database
from tests.builders import PASSWORD
from tests.webhooks.rooms import Client, serve_rooms

_INPUT = re.compile(r"<input\b([^>]*)>")
_AREA = re.compile(r'<textarea[^>]*name="([^"]*)"[^>]*>\n?(.*?)</textarea>', re.DOTALL)
_SELECT = re.compile(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', re.DOTALL)
_OPTION = re.compile(r'<option value="([^"]*)"( selected)?>')
_TEMPLATE = re.compile(r"<template.*?</template>", re.DOTALL)
_FORM = re.compile(r'<form class="split".*?</form>', re.DOTALL)


class Merchant:
    """A browser in which somebody may be signed in to the settings."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.status = 0
        self.path = ""
        self.page = ""

    async def sign_in(
        self, email: str, password: str = PASSWORD, **more: str
    ) -> aiohttp.ClientResponse:
        form = {"email": email, "password": password, **more}
        return await self.send("/merchant/signin", form)

    async def get(self, path: str, **options: Any) -> aiohttp.ClientResponse:
        return await self._read(await self.client.get(path, **options))

    async def send(
        self, path: str, form: Mapping[str, Any] | list[tuple[str, str]] | Any
    ) -> aiohttp.ClientResponse:
        return await self._read(await self.client.post(path, data=form))

    async def change(self, path: str, do: str, **typed: str) -> aiohttp.ClientResponse:
        """Open the form at `path`, type into it, and press the button `do`."""
        await self.get(path)
        return await self.press(path, do, **typed)

    async def press(self, path: str, do: str, **typed: str) -> aiohttp.ClientResponse:
        """Type into the form of the present page, and press the button `do`."""
        fields = [(n, v) for n, v in form_fields(self.page) if n not in typed]
        return await self.send(path, [*fields, *typed.items(), ("do", do)])

    def value(self, name: str) -> str:
        """What a field of the present page holds."""
        return dict(form_fields(self.page))[name]

    @property
    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.page)
        return found[1] if found else ""

    async def _read(self, answer: aiohttp.ClientResponse) -> aiohttp.ClientResponse:
        self.status, self.path = answer.status, answer.url.path
        if answer.content_type == "text/html":
            self.page = await answer.text()
        return answer


@asynccontextmanager
async def at_desk(
    db: Database, settings: Settings, clock: Clock
) -> AsyncIterator[Merchant]:
    """A browser nobody is signed in to, without TLS so that its cookies travel."""
    plain = settings.model_copy(update={"public_url": "http://127.0.0.1"})
    async with serve_rooms(db, plain, clock) as client:
        yield Merchant(client)


def form_fields(page: str) -> list[tuple[str, str]]:
    """What a browser would send of the editor's form, without its buttons."""
    form = _FORM.search(_TEMPLATE.sub("", page))
    if form is None:
        return []
    found = []
    for match in _INPUT.finditer(form[0]):
        attributes = match[1]
        name, kind = _attribute(attributes, "name"), _attribute(attributes, "type")
        is_choice = kind in {"radio", "checkbox"}
        if not name or name == "tab" or kind == "file":
            continue
        if is_choice and not re.search(r"\bchecked\b", attributes):
            continue
        found.append((name, html.unescape(_attribute(attributes, "value"))))
    for name, text in _AREA.findall(form[0]):
        found.append((name, html.unescape(text)))
    for name, options in _SELECT.findall(form[0]):
        choices = _OPTION.findall(options)
        chosen = [value for value, selected in choices if selected]
        found.append((name, (chosen or [choices[0][0]])[0]))
    return found


def _attribute(text: str, name: str) -> str:
    found = re.search(rf'\b{name}="([^"]*)"', text)
    return found[1] if found else ""
