"""Does what an event asks for, and says what to answer. Safe to do again: every
change carries the event's id as its idempotency key.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from bot.access import ChannelKey, channel_key
from bot.dialogue import (
    Ask,
    Chat,
    Follow,
    Ignore,
    LeaveGroup,
    Show,
    Unfollow,
)
from bot.events import LineEvent
from bot.line_api import LineApi
from bot.replies import (
    Message,
    Reader,
    after_grant,
    decline_group,
    explain,
    show_cards,
    show_history,
    show_member,
    show_vouchers,
    welcome,
)
from core.actions.cards import cards_of_person, ledger, load_face
from core.actions.channels import (
    LineChannel,
    apple_credentials,
    google_credentials,
    line_channel,
)
from core.actions.grant import grant_stamps
from core.actions.join import follow, know_person, unfollow
from core.database import Database, Tx
from core.errors import DeliveryError
from core.links import Links
from core.rules.face import CardFace
from core.rules.types import (
    Customer,
    Entry,
    Language,
    LinePerson,
    MerchantId,
    StampAsk,
)
from core.vault import Vault

log = structlog.get_logger()

# A name is nice to have; nobody at a till waits longer for it.
_PROFILE_SECONDS = 1.5
_HUMAN_FOR = 600.0
_MANY_CARDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One event in its surroundings. `asked_at` is when LINE handed it to us."""

    event: LineEvent
    channel: LineChannel
    key: ChannelKey
    customer: Customer | None
    has_wallet: bool
    asked_at: datetime

    @property
    def merchant_id(self) -> MerchantId:
        """Whose chat this is."""
        return self.channel.merchant.id


class Conversation:
    """Takes turns with customers. Belongs to one event loop."""

    def __init__(self, db: Database, vault: Vault, api: LineApi, links: Links) -> None:
        self._db = db
        self._vault = vault
        self._api = api
        self._links = links
        self._humans: dict[str, tuple[bool, float]] = {}

    async def turn(
        self, merchant_id: MerchantId, event: LineEvent, asked_at: datetime
    ) -> Turn | None:
        """What is known about an event; None when the merchant has left LINE."""
        return await self._db.read(_look, self._vault, merchant_id, event, asked_at)

    async def act(self, ask: Ask, turn: Turn) -> list[Message]:
        """Do what is asked; the messages to answer with, maybe none."""
        messages: list[Message] = []
        match ask:
            case StampAsk():
                messages = await self._stamp(ask, turn)
            case Show():
                messages = await self._show(ask, turn)
            case Follow():
                faces = await self._enrol(turn)
                messages = welcome(faces, self._reader(turn, faces), again=ask.again)
            case Unfollow():
                user_id, at = turn.event.person, turn.event.at
                await self._db.write(unfollow, turn.merchant_id, user_id, at)
            case Chat():
                # Where people answer by hand, a machine must not talk in between.
                if not await self._has_human(turn):
                    messages = explain(self._reader(turn, []))
            case LeaveGroup():
                messages = decline_group(self._reader(turn, []))
            case Ignore():
                pass
        return messages

    async def after(self, ask: Ask, turn: Turn) -> None:
        """What is left to do once the answer is out."""
        if not isinstance(ask, LeaveGroup):
            return
        try:
            await self._api.leave(turn.key, ask.kind, ask.id)
        except DeliveryError as error:
            log.warning("line_group_not_left", error=str(error))

    async def _stamp(self, ask: StampAsk, turn: Turn) -> list[Message]:
        person = await self._person(turn)
        ask = replace(ask, person=person)
        # By the time of receipt: a code that was sent in time counts, also when the
        # answer had to wait for a restart.
        now = turn.asked_at
        outcome = await self._db.write(grant_stamps, ask, now)
        if outcome.card_id is None:
            faces = await self._faces(turn)
        else:
            card_id = outcome.card_id
            faces = [await self._db.read(load_face, turn.merchant_id, card_id, now)]
        return after_grant(outcome, faces, self._reader(turn, faces, person.language))

    async def _show(self, ask: Show, turn: Turn) -> list[Message]:
        if ask.topic == "help":
            return explain(self._reader(turn, []))
        # Who was a friend before the shop came to us never sends a follow event.
        faces = await self._faces(turn) or await self._enrol(turn)
        reader = self._reader(turn, faces)
        match ask.topic:
            case "card":
                return show_cards(faces, reader)
            case "member":
                return show_member(faces, reader)
            case "vouchers":
                return show_vouchers(faces, reader)
            case "history":
                entries = await self._db.read(_histories, faces)
                return show_history(faces, entries, reader)

    async def _faces(self, turn: Turn) -> list[CardFace]:
        return await self._db.read(
            cards_of_person, turn.merchant_id, turn.event.person, turn.asked_at
        )

    async def _enrol(self, turn: Turn) -> list[CardFace]:
        person = await self._person(turn, fresh=True)
        key = f"line:{turn.event.id}"
        await self._db.write(follow, turn.merchant_id, person, key, turn.asked_at)
        return await self._faces(turn)

    async def _person(self, turn: Turn, *, fresh: bool = False) -> LinePerson:
        """Who asks, with the profile where it is wanted and can be had in time."""
        user_id = turn.event.person
        nobody = LinePerson(user_id=user_id)
        if turn.customer is not None and turn.customer.name and not fresh:
            return nobody
        try:
            async with asyncio.timeout(_PROFILE_SECONDS):
                return await self._api.profile(turn.key, user_id) or nobody
        except (DeliveryError, TimeoutError):
            return nobody

    async def _has_human(self, turn: Turn) -> bool:
        channel_id, now = turn.key.channel_id, asyncio.get_running_loop().time()
        has_human, until = self._humans.get(channel_id, (True, 0.0))
        if now < until:
            return has_human
        try:
            has_human = (await self._api.bot_info(turn.key)).has_human
        except DeliveryError:
            return True
        self._humans[channel_id] = (has_human, now + _HUMAN_FOR)
        return has_human

    def _reader(
        self, turn: Turn, faces: list[CardFace], language: Language | None = None
    ) -> Reader:
        merchant = turn.channel.merchant
        wanted = language or (turn.customer.language if turn.customer else "ja")
        wanted = faces[0].language if faces else wanted
        return Reader(
            merchant=merchant,
            language=wanted if wanted in merchant.languages else merchant.languages[0],
            links=self._links,
            has_wallet=turn.has_wallet,
        )


def _look(
    tx: Tx,
    vault: Vault,
    merchant_id: MerchantId,
    event: LineEvent,
    asked_at: datetime,
) -> Turn | None:
    channel = line_channel(tx, merchant_id)
    if channel is None:
        return None
    has_apple = apple_credentials(tx, merchant_id) is not None
    return Turn(
        event=event,
        channel=channel,
        key=channel_key(channel, vault),
        customer=know_person(tx, merchant_id, event.person) if event.person else None,
        has_wallet=has_apple or google_credentials(tx, merchant_id) is not None,
        asked_at=asked_at,
    )


def _histories(tx: Tx, faces: list[CardFace]) -> list[list[Entry]]:
    n = 10 if len(faces) <= _MANY_CARDS else 4
    return [ledger(tx, face.merchant_id, face.card_id, limit=n) for face in faces]
