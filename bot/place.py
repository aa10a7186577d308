"""Takes the part of a conversation that is about where somebody is.

A printed code with a radius is good only near its shop. LINE tells no place with a
message, so the answer asks for one, and the message with the place finishes the try.
Who wants to can choose another place on LINE's map: that keeps honest people honest,
and a photo of the poster from being worth much. It is no proof.
https://developers.line.biz/en/docs/messaging-api/using-quick-reply/
"""

from __future__ import annotations

from collections.abc import Callable

from bot.dialogue import Here
from bot.grants import grant_and_look
from bot.messages import Message, Reader
from bot.place_replies import ask_where, not_asked, still_far
from bot.replies import after_grant
from bot.turn import Turn
from core.actions.inbox import forget_place
from core.actions.place import PlaceAsked, place_asked
from core.database import Database, Tx
from core.rules.asking import Granted, LinePerson, Refused, StampAsk
from core.rules.face import CardFace
from core.rules.types import Why

Stood = tuple[PlaceAsked, Granted | Refused, list[CardFace]]


class Places:
    """Asks where somebody is, and goes on with what that was needed for."""

    def __init__(
        self, db: Database, heard: Callable[[Granted | Refused], None]
    ) -> None:
        self._db = db
        self._heard = heard

    async def ask(
        self, outcome: Granted | Refused, turn: Turn, reader: Reader
    ) -> list[Message]:
        """The question where they are; none where no place would change `outcome`."""
        if not _is_far(outcome):
            return []
        asked = await self._db.read(_asked, turn)
        return [] if asked is None else ask_where(asked, reader)

    async def stand(self, here: Here, turn: Turn) -> Stood | None:
        """Finish what they were asked for; None where nobody asked them."""
        stood = await self._db.write(_stand, here, turn)
        if stood is not None:
            self._heard(stood[1])
        return stood

    async def forget(self, turn: Turn) -> None:
        """Keep no longer where they are: the answer is out."""
        where = (turn.merchant_id, turn.event.id, turn.event.body)
        await self._db.write(forget_place, *where)


def after_place(here: Here, stood: Stood | None, reader: Reader) -> list[Message]:
    """The answer to a place."""
    if stood is None:
        return not_asked(reader)
    asked, outcome, faces = stood
    if _is_far(outcome):
        return still_far(asked, asked.metres_from(here.place), reader)
    return after_grant(outcome, faces, reader)


def _is_far(outcome: Granted | Refused) -> bool:
    return isinstance(outcome, Refused) and outcome.why is Why.too_far


def _asked(tx: Tx, turn: Turn) -> PlaceAsked | None:
    return place_asked(tx, turn.merchant_id, turn.event.person, turn.asked_at)


def _stand(tx: Tx, here: Here, turn: Turn) -> Stood | None:
    asked = _asked(tx, turn)
    if asked is None:
        return None
    ask = StampAsk(
        merchant_id=turn.merchant_id,
        key=turn.key,
        how="line",
        code=asked.code,
        person=LinePerson(user_id=turn.event.person),
        place=here.place,
    )
    return asked, *grant_and_look(tx, ask, turn.asked_at)
