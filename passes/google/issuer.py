"""Cards in Google Wallet: Google keeps each object, so it is told of every change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import aiohttp
import structlog

from core.actions.cards import ledger
from core.actions.passes import load_blank
from core.actions.scanning import barcode_key
from core.clock import Clock
from core.config import Settings
from core.database import Database
from core.errors import DeliveryError
from core.links import Links
from core.rules.face import CardFace
from core.rules.pass_codes import code_before_value
from core.rules.types import HeldPass, MerchantId, PassId, ProgramId
from core.vault import Vault
from passes.art import picture_path
from passes.google.api import OBJECT, GoogleApi
from passes.google.barcode import Rotation
from passes.google.callback import BadCallback, PassEvent, read_callback
from passes.google.classes import Classes
from passes.google.connection import Connection, Connections
from passes.google.heard import HeardEvents
from passes.google.notice import NOTIFY, may_ring
from passes.google.objects import (
    Json,
    bare,
    class_id,
    loyalty_object,
    pass_of,
    volatile,
)
from passes.google.root_keys import RootKeys
from passes.google.save_link import lean_link, skinny_link
from passes.google.trial import GoogleTrial, try_account

# How long a person who tapped "Add to Google Wallet" waits for Google at most.
BUDGET_SECONDS = 2.5

log = structlog.get_logger()


@dataclass(slots=True, weakref_slot=True)
class _Lane:
    """One update of a pass at a time; `sent` is the newest state that went out."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    sent: int = -1


class GoogleIssuer:
    """The Google side of `passes.issuer.PassIssuer`, for every merchant."""

    def __init__(
        self,
        db: Database,
        settings: Settings,
        vault: Vault,
        links: Links,
        session: aiohttp.ClientSession,
        clock: Clock,
        *,
        budget: float = BUDGET_SECONDS,
    ) -> None:
        self._db = db
        self._vault = vault
        self._links = links
        self._clock = clock
        self._budget = budget
        self._public_url = settings.public_url
        self._connections = Connections(db, vault)
        self._new_api = partial(GoogleApi, session, settings, self._real_time)
        self._api = self._new_api()
        self._classes = Classes(self._api, settings.public_url, self._load_blank)
        self._roots = RootKeys(
            session, settings.google_callback_keys_url, self._real_time
        )
        self._lanes: WeakValueDictionary[PassId, _Lane] = WeakValueDictionary()
        self._unfinished: set[asyncio.Task[None]] = set()
        self.heard = HeardEvents()

    async def configured(self, merchant_id: MerchantId) -> bool:
        """Has the merchant entered a Google issuer? Google itself is not asked."""
        return await self._connections.credentials(merchant_id) is not None

    async def publish_class(
        self, merchant_id: MerchantId, program_id: ProgramId
    ) -> None:
        """Tell Google the program's newest look, whatever it has.

        Nothing for a merchant without Google. Raises DeliveryError.
        """
        if not await self.configured(merchant_id):
            return
        connection = await self._connections.of(merchant_id)
        await self._classes.publish(connection, merchant_id, program_id)

    async def add_link(self, held: HeldPass, face: CardFace, now: datetime) -> str:
        """The URL that saves this pass, within `budget` seconds.

        Where Google does not answer in time, the link carries a lean card by itself and
        the rest is sent behind it. DeliveryError where the link could not work at all.
        """
        del now
        lane = self._lane(held)
        connection = await self._connections.of(held.merchant_id)
        thing = self._draw(connection, held, face)
        put = self._run_behind(self._put(connection, held, face, lane))
        await asyncio.wait({put}, timeout=self._budget)
        is_there = put.done() and _succeeded(put)
        link = skinny_link if is_there else lean_link
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(self._public_url))
        return link(connection.account, thing, origin=origin, now=self._real_time())

    async def refresh(
        self,
        held: HeldPass,
        face: CardFace,
        now: datetime,
        *,
        at_leisure: bool = False,
    ) -> None:
        """PATCH everything that a stamp can change. Raises DeliveryError."""
        lane = self._lane(held)
        connection = await self._connections.of(held.merchant_id)
        entries = await self._db.read(ledger, held.merchant_id, held.card_id)
        notify = NOTIFY if may_ring(entries, now) else {}
        async with lane.lock:
            if held.changed_at < lane.sent:
                return
            await self._ensure(connection, face)
            thing = self._draw(connection, held, face)
            patch = volatile(thing) | notify
            outcome = await self._api.patch(
                connection.account, OBJECT, thing["id"], patch, at_leisure=at_leisure
            )
            if outcome == "missing":
                await self._insert(connection, face, thing)
            lane.sent = held.changed_at

    def refresh_soon(self, held: HeldPass, face: CardFace, now: datetime) -> None:
        """The same behind the caller's back; a failure is left to the next update.

        For a pass that was just saved: its link may have carried a lean card.
        """
        self._run_behind(self.refresh(held, face, now))

    async def void(
        self,
        held: HeldPass,
        face: CardFace,
        now: datetime,
        *,
        at_leisure: bool = False,
    ) -> None:
        """Take the pass back: INACTIVE, and empty, since Google deletes nothing.

        Raises DeliveryError. A pass that Google never had stays unknown to it.
        """
        del now
        lane = self._lane(held)
        connection = await self._connections.of(held.merchant_id)
        async with lane.lock:
            if held.changed_at < lane.sent:
                return
            shell = bare(face, held, issuer_id=connection.issuer_id)
            await self._api.update(
                connection.account, OBJECT, shell, at_leisure=at_leisure
            )
            # Whoever drew the pass before it was taken back must not bring it again.
            lane.sent = held.changed_at

    async def list_saved(
        self, merchant_id: MerchantId, program_id: ProgramId
    ) -> AsyncIterator[Mapping[PassId, bool]]:
        """Page by page, of which passes of a program Google says that somebody has it.

        Callbacks have been silent for months, so a nightly job asks. DeliveryError.
        """
        if not await self.configured(merchant_id):
            return
        connection = await self._connections.of(merchant_id)
        issuer_id = connection.issuer_id
        of_class = class_id(issuer_id, program_id)
        async for page in self._api.list_objects(connection.account, of_class):
            found = {
                pass_of(issuer_id, str(thing.get("id", ""))): thing for thing in page
            }
            yield {
                pass_id: thing.get("hasUsers") is True
                for pass_id, thing in found.items()
                if pass_id is not None
            }

    async def read_callback(
        self, merchant_id: MerchantId, raw: bytes
    ) -> PassEvent | BadCallback:
        """Verify a callback's body for this merchant's issuer.

        Raises DeliveryError while Google's keys cannot be had.
        """
        entered = await self._connections.credentials(merchant_id)
        if entered is None:
            return BadCallback("this merchant has no Google Wallet issuer")
        roots = await self._roots.get()
        now = self._real_time()
        return read_callback(raw, issuer_id=entered.issuer_id, roots=roots, now=now)

    async def account_email(self, merchant_id: MerchantId) -> str:
        """Who the service account is. DeliveryError where it does not open."""
        return (await self._connections.of(merchant_id)).account.email

    async def try_out(self, merchant_id: MerchantId) -> GoogleTrial:
        """Ask Google, with a fresh token, whether the account may do its work."""
        try:
            connection = await self._connections.of(merchant_id)
        except DeliveryError as error:
            return GoogleTrial(answer="unread", reason=str(error)[:160])
        api, issuer_id = self._new_api(), connection.issuer_id
        return await try_account(api, connection.account, issuer_id)

    async def close(self) -> None:
        """Stop what still runs behind links that were given out."""
        running = list(self._unfinished)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _put(
        self, connection: Connection, held: HeldPass, face: CardFace, lane: _Lane
    ) -> None:
        async with lane.lock:
            if held.changed_at < lane.sent:
                return
            await self._ensure(connection, face)
            thing = self._draw(connection, held, face)
            await self._insert(connection, face, thing)
            lane.sent = held.changed_at

    async def _insert(
        self, connection: Connection, face: CardFace, thing: Json
    ) -> None:
        account = connection.account
        outcome = await self._api.insert(account, OBJECT, thing)
        if outcome == "missing":
            await self._classes.publish(connection, face.merchant_id, face.program_id)
            outcome = await self._api.insert(account, OBJECT, thing)
        if outcome == "exists":
            whole = thing | volatile(thing)
            outcome = await self._api.patch(account, OBJECT, thing["id"], whole)
        if outcome != "done":
            raise DeliveryError("Google Wallet neither makes nor finds the pass")

    async def _ensure(self, connection: Connection, face: CardFace) -> None:
        await self._classes.ensure(connection, face.merchant_id, face.program_id)

    async def _load_blank(
        self, merchant_id: MerchantId, program_id: ProgramId
    ) -> CardFace | None:
        now = self._clock.now()
        return await self._db.read(load_blank, merchant_id, program_id, now)

    def _draw(self, connection: Connection, held: HeldPass, face: CardFace) -> Json:
        return loyalty_object(
            face,
            held,
            issuer_id=connection.issuer_id,
            card_url=self._links.card(face.code),
            page_url=self._links.holder(held.id),
            hero_url=self._public_url + picture_path(face, "hero"),
            rotation=self._rotation(held, face) if face.changing_code else None,
        )

    def _rotation(self, held: HeldPass, face: CardFace) -> Rotation:
        url = self._links.card(code_before_value(face.member_no))
        return Rotation(url=url, key=barcode_key(self._vault, held.id))

    def _lane(self, held: HeldPass) -> _Lane:
        # Before the first await of a call: a lane lives only while somebody holds it.
        return self._lanes.setdefault(held.id, _Lane())

    def _run_behind(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._unfinished.add(task)
        task.add_done_callback(self._finish)
        return task

    def _finish(self, put: asyncio.Task[None]) -> None:
        self._unfinished.discard(put)
        if not put.cancelled() and put.exception() is not None:
            log.warning("google_object_behind", error=str(put.exception()))

    def _real_time(self) -> datetime:
        # A drill moves our clock (STAMPCARD_CLOCK_OFFSET); Google's stays where it is
        # and refuses signatures of another day.
        return self._clock.now() - self._clock.offset


def _succeeded(put: asyncio.Task[None]) -> bool:
    """Did Google take it? DeliveryError where a lean link would fail as well."""
    error = put.exception()
    if isinstance(error, DeliveryError) and not (error.permanent or error.halts):
        return False
    if error is not None:
        raise error
    return True
