"""Does what an event asks for, and says what to answer. Safe to do again: every
change carries the event's id as its idempotency key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import structlog

from bot.claim_replies import say_claims
from bot.dialogue import (
    Ask,
    Chat,
    Follow,
    Here,
    Ignore,
    LeaveGroup,
    Show,
    Topic,
    Unfollow,
    Unsend,
)
from bot.events import LineEvent
from bot.grants import grant_and_look, grant_if_known
from bot.holding import Holding
from bot.line_api import LineApi
from bot.messages import Message, Reader
from bot.personal import Personal
from bot.personal_acts import claims_to_show
from bot.place import Places, after_place
from bot.replies import (
    after_grant,
    decline_group,
    explain,
    show_cards,
    show_history,
    show_member,
    show_vouchers,
    welcome,
)
from bot.turn import Line, Turn, find_line
from bot.wishes import ClaimStamps, EnterReferral, LinkUp, TellBirthday, Wish
from core.actions.cards import cards_of_person, ledger
from core.actions.inbox import unsend_message
from core.actions.join import follow, know_person, unfollow
from core.database import Database, Tx
from core.errors import DeliveryError
from core.links import Links
from core.rules.asking import (
    Granted,
    LinePerson,
    Refused,
    StampAsk,
)
from core.rules.face import CardFace
from core.rules.types import (
    Entry,
    Language,
    MerchantId,
)
from core.vault import Vault

log = structlog.get_logger()

# A name is nice to have; nobody at a till waits longer for it.
_PROFILE_SECONDS = 1.5
_HUMAN_FOR = 600.0
# A changed channel or certificate counts after this long; less than a retry takes.
_LINE_FOR = 0.9
_MANY_CARDS = 4


class Conversation:
    """Takes turns with customers. Belongs to one event loop."""

    def __init__(
        self,
        db: Database,
        vault: Vault,
        api: LineApi,
        links: Links,
        heard: Callable[[Granted | Refused], None],
        holding: Holding,
    ) -> None:
        self._heard = heard
        self._places = Places(db, heard)
        self._db = db
        self._vault = vault
        self._api = api
        self._links = links
        self._personal = Personal(db, links, holding)
        self._humans: dict[str, tuple[bool, float]] = {}
        self._lines: dict[str, tuple[asyncio.Future[Line | None], float]] = {}

    async def turn(
        self, merchant_id: MerchantId, event: LineEvent, asked_at: datetime
    ) -> Turn | None:
        """What is known about an event; None when the merchant has left LINE."""
        line = await self._line(merchant_id)
        if line is None:
            return None
        return Turn(event=event, line=line, asked_at=asked_at)

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
                reader = await self._reader(turn, faces)
                messages = welcome(faces, reader, again=ask.again)
            case Unfollow():
                user_id, at = turn.event.person, turn.event.at
                await self._db.write(unfollow, turn.merchant_id, user_id, at)
            case Here():
                messages = await self._here(ask, turn)
            case Unsend():
                taken = (turn.event.person, ask.message_id, turn.event.at)
                await self._db.write(unsend_message, turn.merchant_id, *taken)
            case Chat():
                messages = await self._chat(turn)
            case LeaveGroup():
                messages = decline_group(await self._reader(turn, []))
            case Ignore():
                pass
            case _:
                messages = await self._personally(ask, turn)
        return messages

    async def after(self, ask: Ask, turn: Turn) -> None:
        """What is left to do once the answer is out."""
        if isinstance(ask, Here):
            await self._places.forget(turn)
        if not isinstance(ask, LeaveGroup):
            return
        try:
            await self._api.leave(turn.line.key, ask.kind, ask.id)
        except DeliveryError as error:
            log.warning("line_group_not_left", error=str(error))

    async def _stamp(self, ask: StampAsk, turn: Turn) -> list[Message]:
        # By the time of receipt: a code that was sent in time counts, also when the
        # answer had to wait for a restart.
        now = turn.asked_at
        done = await self._db.write(grant_if_known, ask, now)
        if done is None:
            ask = replace(ask, person=await self._profile(turn))
            done = await self._db.write(grant_and_look, ask, now)
        self._heard(done[0])
        reader = await self._reader(turn, done[1])
        where = await self._places.ask(done[0], turn, reader)
        return where or after_grant(*done, reader)

    async def _here(self, here: Here, turn: Turn) -> list[Message]:
        stood = await self._places.stand(here, turn)
        if stood is None and await self._has_human(turn):
            # A way to the shop, maybe, for who answers there.
            return []
        reader = await self._reader(turn, stood[2] if stood else [])
        return after_place(here, stood, reader)

    async def _personally(self, wish: Wish, turn: Turn) -> list[Message]:
        if isinstance(wish, TellBirthday) and wish.is_bare:
            # A day alone may answer a question of the shop's own people.
            is_ours = await self._personal.has_gifts(turn)
            if not is_ours or await self._has_human(turn):
                return await self._chat(turn)
        if isinstance(wish, ClaimStamps | LinkUp | EnterReferral | TellBirthday):
            await self._meet(turn)
        return await self._personal.act(wish, turn, await self._reader(turn, []))

    async def _chat(self, turn: Turn) -> list[Message]:
        # Where people answer by hand, a machine must not talk in between.
        if await self._has_human(turn):
            return []
        return explain(await self._reader(turn, []))

    async def _meet(self, turn: Turn) -> None:
        # Nobody is to hear that there is no card: it is on its way.
        if not await self._faces(turn):
            await self._enrol(turn)

    async def _show(self, ask: Show, turn: Turn) -> list[Message]:
        match ask.topic:
            case "help":
                return explain(await self._reader(turn, []))
            case "card" | "member" | "vouchers" | "history" as topic:
                return await self._show_cards(topic, turn)
            case (
                "leave" | "unlink" | "data" | "referral" | "birthday" | "notices"
            ) as topic:
                if topic in {"referral", "birthday"}:
                    await self._meet(turn)
                reader = await self._reader(turn, [])
                return await self._personal.show(topic, turn, reader)

    async def _show_cards(self, topic: Topic, turn: Turn) -> list[Message]:
        # Who was a friend before the shop came to us never sends a follow event.
        faces = await self._faces(turn) or await self._enrol(turn)
        reader = await self._reader(turn, faces)
        match topic:
            case "member":
                return show_member(faces, reader)
            case "vouchers":
                return show_vouchers(faces, reader)
            case "history":
                return await self._show_history(faces, turn, reader)
            case _:
                return show_cards(faces, reader)

    async def _show_history(
        self, faces: list[CardFace], turn: Turn, reader: Reader
    ) -> list[Message]:
        entries = await self._db.read(_histories, faces)
        claims = await self._db.read(
            claims_to_show, turn.merchant_id, turn.event.person, turn.asked_at
        )
        return show_history(faces, entries, reader, say_claims(claims, reader))

    async def _line(self, merchant_id: MerchantId) -> Line | None:
        now = asyncio.get_running_loop().time()
        looking, until = self._lines.get(merchant_id, (None, 0.0))
        if looking is None or now >= until:
            # Many events of one shop come at once: one look serves them all.
            found = self._db.read(find_line, self._vault, merchant_id)
            looking = asyncio.ensure_future(found)
            self._lines[merchant_id] = (looking, now + _LINE_FOR)
        return await asyncio.shield(looking)

    async def _faces(self, turn: Turn) -> list[CardFace]:
        return await self._db.read(
            cards_of_person, turn.merchant_id, turn.event.person, turn.asked_at
        )

    async def _enrol(self, turn: Turn) -> list[CardFace]:
        person = await self._profile(turn)
        key = f"line:{turn.event.id}"
        await self._db.write(follow, turn.merchant_id, person, key, turn.asked_at)
        return await self._faces(turn)

    async def _profile(self, turn: Turn) -> LinePerson:
        """Who asks; name and language only where they can be had in time."""
        user_id = turn.event.person
        nobody = LinePerson(user_id=user_id)
        try:
            async with asyncio.timeout(_PROFILE_SECONDS):
                return await self._api.profile(turn.line.key, user_id) or nobody
        except (DeliveryError, TimeoutError):
            return nobody

    async def _has_human(self, turn: Turn) -> bool:
        channel_id, now = turn.line.key.channel_id, asyncio.get_running_loop().time()
        has_human, until = self._humans.get(channel_id, (True, 0.0))
        if now < until:
            return has_human
        try:
            has_human = (await self._api.bot_info(turn.line.key)).has_human
        except DeliveryError:
            return True
        self._humans[channel_id] = (has_human, now + _HUMAN_FOR)
        return has_human

    async def _reader(self, turn: Turn, faces: list[CardFace]) -> Reader:
        merchant, user_id = turn.line.merchant, turn.event.person
        wanted: Language = faces[0].language if faces else "ja"
        if not faces and user_id:
            known = await self._db.read(know_person, merchant.id, user_id)
            wanted = known.language if known else wanted
        return Reader(
            merchant=merchant,
            language=wanted if wanted in merchant.languages else merchant.languages[0],
            links=self._links,
            has_wallet=turn.line.has_wallet,
        )


def _histories(tx: Tx, faces: list[CardFace]) -> list[list[Entry]]:
    n = 10 if len(faces) <= _MANY_CARDS else 4
    return [ledger(tx, face.merchant_id, face.card_id, limit=n) for face in faces]
