"""The classes that Google has from us: one a program, published when it changed."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from core.errors import DeliveryError
from core.rules.face import CardFace
from core.rules.types import MerchantId, ProgramId
from passes.art import picture_path
from passes.google.api import CLASS, GoogleApi
from passes.google.connection import Connection
from passes.google.objects import Json, class_id, loyalty_class

# The newest look of a program, as an empty card of nobody; None: no such program.
LoadBlank = Callable[[MerchantId, ProgramId], Awaitable[CardFace | None]]

log = structlog.get_logger()


@dataclass(slots=True)
class _Published:
    digest: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Classes:
    """Remembers what this process last published, so that stamps cost no class call.

    A program has one class, of its newest look. Cards that keep an older look differ in
    what is their own: the picture, the goal, the texts.
    """

    def __init__(self, api: GoogleApi, public_url: str, load: LoadBlank) -> None:
        self._api = api
        self._public_url = public_url
        self._load = load
        self._published: dict[str, _Published] = {}

    async def ensure(
        self, connection: Connection, merchant_id: MerchantId, program_id: ProgramId
    ) -> None:
        """Publish the class unless this process has published the very same."""
        known = self._known(connection, program_id)
        async with known.lock:
            await self._catch_up(known, connection, merchant_id, program_id)

    async def publish(
        self, connection: Connection, merchant_id: MerchantId, program_id: ProgramId
    ) -> None:
        """Insert the class, or PATCH the one that is there. Raises DeliveryError."""
        known = self._known(connection, program_id)
        async with known.lock:
            known.digest = ""
            await self._catch_up(known, connection, merchant_id, program_id)

    def _known(self, connection: Connection, program_id: ProgramId) -> _Published:
        name = class_id(connection.issuer_id, program_id)
        return self._published.setdefault(name, _Published())

    async def _catch_up(
        self,
        known: _Published,
        connection: Connection,
        merchant_id: MerchantId,
        program_id: ProgramId,
    ) -> None:
        # Looked at again after each call: what another process published meanwhile may
        # have been overwritten by this one's older look.
        while face := await self._load(merchant_id, program_id):
            body = self._draw(connection, face)
            digest = _digest(body)
            if digest == known.digest:
                return
            await self._send(connection, body)
            known.digest = digest

    async def _send(self, connection: Connection, body: Json) -> None:
        account = connection.account
        outcome = await self._api.insert(account, CLASS, body)
        if outcome == "exists":
            outcome = await self._api.patch(account, CLASS, body["id"], body)
        if outcome != "done":
            raise DeliveryError("Google Wallet neither makes nor finds the class")
        log.info("google_class_published", class_id=body["id"])

    def _draw(self, connection: Connection, face: CardFace) -> Json:
        return loyalty_class(
            face,
            issuer_id=connection.issuer_id,
            callback_url=f"{self._public_url}/google/{face.merchant_key}",
            logo_url=self._public_url + picture_path(face, "logo"),
            hero_url=self._public_url + picture_path(face, "hero"),
        )


def _digest(body: Json) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
