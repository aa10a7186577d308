"""The classes that Google has from us: one a program, published when it changed."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, field, replace

import structlog

from core.errors import DeliveryError
from core.rules.face import CardFace
from passes.art import picture_path
from passes.google.api import CLASS, GoogleApi
from passes.google.connection import Connection
from passes.google.objects import Json, loyalty_class

log = structlog.get_logger()


@dataclass(slots=True)
class _Published:
    version: int = -1
    digest: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Classes:
    """Remembers what this process last published, so that stamps cost no class call."""

    def __init__(self, api: GoogleApi, public_url: str) -> None:
        self._api = api
        self._public_url = public_url
        self._published: dict[str, _Published] = {}

    async def ensure(self, connection: Connection, face: CardFace) -> None:
        """Publish the class unless this process has published the very same."""
        await self.publish(connection, face, force=False)

    async def publish(
        self, connection: Connection, face: CardFace, *, force: bool = True
    ) -> None:
        """Insert the class, or PATCH the one that is there. Raises DeliveryError."""
        body = self._draw(connection, face)
        digest = _digest(body)
        known = self._published.setdefault(body["id"], _Published())
        async with known.lock:
            # A card of an older version must not put the program's old look back.
            if not force and (face.version < known.version or digest == known.digest):
                return
            await self._send(connection, body)
            known.version, known.digest = face.version, digest

    async def _send(self, connection: Connection, body: Json) -> None:
        account = connection.account
        outcome = await self._api.insert(account, CLASS, body)
        if outcome == "exists":
            outcome = await self._api.patch(account, CLASS, body["id"], body)
        if outcome != "done":
            raise DeliveryError("Google Wallet neither makes nor finds the class")
        log.info("google_class_published", class_id=body["id"])

    def _draw(self, connection: Connection, face: CardFace) -> Json:
        blank = replace(face, balance=0)
        return loyalty_class(
            blank,
            issuer_id=connection.issuer_id,
            callback_url=f"{self._public_url}/google/{face.merchant_key}",
            logo_url=self._public_url + picture_path(blank, "logo"),
            hero_url=self._public_url + picture_path(blank, "hero"),
        )


def _digest(body: Json) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
