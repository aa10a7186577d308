"""Does what somebody wishes with what is theirs, and says what to answer.

Safe to do again: every change carries the event's id as its idempotency key.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from bot import claim_replies
from bot import friend_replies as friends
from bot import personal_acts as acts
from bot import personal_replies as replies
from bot.holding import Holding
from bot.messages import Message, Reader
from bot.notify_replies import after_choice, show_choices
from bot.replies import after_use
from bot.turn import Turn
from bot.voucher_replies import after_ask, after_stop
from bot.wishes import (
    ChooseNews,
    ClaimStamps,
    ConfirmLink,
    EnterReferral,
    ForgetBirthday,
    Leave,
    LinkUp,
    StopUsing,
    TellBirthday,
    Unlink,
    UseVoucher,
    Wish,
)
from core.actions.link import LinkPreview, link_people, preview_link
from core.actions.referral import enter_referral
from core.actions.unlink import unlink_people
from core.database import Database
from core.links import Links
from core.rules.asking import LinePerson, Refused
from core.rules.claiming import ClaimView
from core.rules.linking import Linked, LinkId, Unlinked
from core.rules.redeeming import was_used
from core.rules.types import CustomerId, Why
from core.vault import hash_token

PersonalTopic = Literal["data", "leave", "unlink", "referral", "birthday", "notices"]

# A button that cannot be taken back works for so long.
_BUTTON_LIVES = timedelta(minutes=10)


class Personal:
    """Takes the part of a conversation that is about somebody's own affairs."""

    def __init__(self, db: Database, links: Links, holding: Holding) -> None:
        self._db = db
        self._links = links
        self._holding = holding

    async def act(self, wish: Wish, turn: Turn, reader: Reader) -> list[Message]:
        """Do what is wished; the messages to answer with."""
        messages: list[Message] = []
        match wish:
            case UseVoucher():
                messages = await self._use(wish, turn, reader)
            case StopUsing():
                why = await self._db.write(acts.stop_using, turn, wish)
                messages = replies.say_why(why, reader) if why else after_stop(reader)
            case ClaimStamps():
                messages = await self._claim(wish, turn, reader)
            case Leave():
                messages = await self._leave(wish, turn, reader)
            case LinkUp():
                messages = await self._preview(wish, turn, reader)
            case ConfirmLink():
                messages = await self._link(wish, turn, reader)
            case Unlink():
                messages = await self._unlink(wish, turn, reader)
            case EnterReferral():
                messages = await self._enter_code(wish, turn, reader)
            case TellBirthday() | ForgetBirthday() | ChooseNews():
                messages = await self._keep(wish, turn, reader)
        return messages

    async def show(
        self, topic: PersonalTopic, turn: Turn, reader: Reader
    ) -> list[Message]:
        """What was asked for by a word; nothing is changed by that alone."""
        match topic:
            case "leave":
                return await self._ask_to_leave(turn, reader)
            case "unlink":
                return await self._ask_to_unlink(turn, reader)
            case "data":
                return await self._show_data(turn, reader)
            case "referral":
                return await self._show_code(turn, reader)
            case "birthday":
                return await self._ask_birthday(turn, reader)
            case "notices":
                found = await self._db.read(acts.news_choices, turn)
                return show_choices(*found, reader)

    async def has_gifts(self, turn: Turn) -> bool:
        """Has this shop anything for birthdays?"""
        return bool(await self._db.read(acts.gifts, turn.merchant_id))

    async def _ask_to_leave(self, turn: Turn, reader: Reader) -> list[Message]:
        """The answer to 「退会」: nothing is gone before the button is pressed."""
        found = await self._db.read(acts.who, turn)
        if found is None:
            return replies.say_plainly("chat.leave.nobody", reader)
        customer_id, faces = found
        token = self._sign("leave", turn, customer_id)
        return replies.ask_to_leave(faces, token, reader)

    async def _ask_to_unlink(self, turn: Turn, reader: Reader) -> list[Message]:
        """The answer to 「連携解除」: what can still be taken apart."""
        links = await self._db.read(acts.open_links, turn)
        if not links:
            return replies.say_plainly("chat.unlink.none", reader)
        signed = [(link, self._sign("unlink", turn, link.id)) for link in links]
        return replies.ask_to_unlink(signed, reader)

    async def _show_data(self, turn: Turn, reader: Reader) -> list[Message]:
        """The answer to 「データ」: all that is known of them."""
        known = await self._db.read(acts.all_known, turn)
        if known is None:
            return replies.say_plainly("chat.data.nobody", reader)
        return replies.show_data(known, reader)

    async def _use(self, wish: UseVoucher, turn: Turn, reader: Reader) -> list[Message]:
        found = await self._db.write(acts.ask_use, turn, wish)
        if isinstance(found, Refused):
            return replies.say_why(found.why, reader)
        asked, voucher, face = await self._holding.decided(turn, found)
        if was_used(asked, voucher) and asked.decided_at is not None:
            return after_use(asked.decided_at, voucher, face, reader)
        return after_ask(asked, voucher, face, reader)

    async def _claim(
        self, wish: ClaimStamps, turn: Turn, reader: Reader
    ) -> list[Message]:
        found = await self._db.write(acts.claim, turn, wish)
        if isinstance(found, ClaimView):
            return claim_replies.after_claim(found, reader)
        if isinstance(found, Refused):
            is_open = found.why is Why.already_claimed
            then = "chat.claim.see" if is_open else ""
            return replies.say_why(found.why, reader, then)
        return claim_replies.ask_which_card(found, wish.text, reader)

    async def _leave(self, wish: Leave, turn: Turn, reader: Reader) -> list[Message]:
        customer_id = self._read("leave", turn, wish.token)
        if customer_id is None:
            return replies.say_plainly("chat.leave.old", reader)
        is_gone = await self._db.write(acts.erase, turn, CustomerId(customer_id))
        return replies.say_plainly(
            "chat.leave.done" if is_gone else "chat.leave.old", reader
        )

    async def _preview(self, wish: LinkUp, turn: Turn, reader: Reader) -> list[Message]:
        person = LinePerson(user_id=turn.event.person)
        ahead = await self._db.write(
            preview_link, turn.merchant_id, wish.code, person, turn.asked_at
        )
        if not isinstance(ahead, LinkPreview):
            return replies.why_not_linked(ahead.why, reader)
        return replies.ask_to_link(
            ahead.sums, self._sign("link", turn, wish.code), reader
        )

    async def _link(
        self, wish: ConfirmLink, turn: Turn, reader: Reader
    ) -> list[Message]:
        code = self._read("link", turn, wish.token)
        if code is None:
            return replies.say_plainly("chat.link.old", reader)
        done = await self._db.write(
            link_people,
            merchant_id=turn.merchant_id,
            code=code,
            person=LinePerson(user_id=turn.event.person),
            key=turn.key,
            now=turn.asked_at,
        )
        if isinstance(done, Linked):
            return replies.say_plainly("chat.link.done", reader)
        return replies.why_not_linked(done.why, reader)

    async def _unlink(self, wish: Unlink, turn: Turn, reader: Reader) -> list[Message]:
        link_id = self._read("unlink", turn, wish.token)
        if link_id is None:
            return replies.say_plainly("chat.unlink.old", reader)
        done = await self._db.write(
            unlink_people,
            merchant_id=turn.merchant_id,
            link_id=LinkId(link_id),
            by=None,
            key=turn.key,
            now=turn.asked_at,
        )
        if isinstance(done, Unlinked):
            return replies.say_plainly("chat.unlink.done", reader)
        is_over = done.why is Why.too_late
        key = "chat.unlink.none" if is_over else "chat.unlink.refused"
        return replies.say_plainly(key, reader)

    async def _show_code(self, turn: Turn, reader: Reader) -> list[Message]:
        designs = await self._db.read(acts.referrals, turn.merchant_id)
        if not designs:
            return replies.say_plainly("chat.friend.none", reader)
        code, link = await self._db.write(acts.code_for_friends, turn)
        return friends.show_code(designs, code, link, reader)

    async def _enter_code(
        self, wish: EnterReferral, turn: Turn, reader: Reader
    ) -> list[Message]:
        designs = await self._db.read(acts.referrals, turn.merchant_id)
        if not designs:
            return replies.say_plainly("chat.friend.none", reader)
        done = await self._db.write(
            enter_referral,
            merchant_id=turn.merchant_id,
            code=wish.code,
            key=turn.key,
            now=turn.asked_at,
            person=LinePerson(user_id=turn.event.person),
        )
        if isinstance(done, Refused):
            return friends.why_no_code(done.why, reader)
        return friends.after_code(designs, reader)

    async def _ask_birthday(self, turn: Turn, reader: Reader) -> list[Message]:
        designs = await self._db.read(acts.gifts, turn.merchant_id)
        if not designs:
            return replies.say_plainly("chat.birthday.none", reader)
        birthday = await self._db.read(acts.own_birthday, turn)
        return friends.ask_birthday(designs, birthday, reader)

    async def _keep(
        self,
        wish: TellBirthday | ForgetBirthday | ChooseNews,
        turn: Turn,
        reader: Reader,
    ) -> list[Message]:
        if not isinstance(wish, ChooseNews):
            return await self._keep_birthday(wish, turn, reader)
        found = await self._db.write(acts.keep_choice, turn, wish)
        if found is None:
            return replies.say_plainly("chat.data.nobody", reader)
        return after_choice(wish.kind, *found, reader)

    async def _keep_birthday(
        self, wish: TellBirthday | ForgetBirthday, turn: Turn, reader: Reader
    ) -> list[Message]:
        if isinstance(wish, ForgetBirthday):
            await self._db.write(acts.drop_birthday, turn)
            return replies.say_plainly("chat.birthday.forgotten", reader)
        designs = await self._db.read(acts.gifts, turn.merchant_id)
        if not designs:
            return replies.say_plainly("chat.birthday.none", reader)
        if wish.is_bare:
            return friends.ask_whether_birthday(wish.month, wish.day, reader)
        first = await self._db.write(acts.keep_birthday, turn, wish)
        if first is None:
            return replies.say_plainly("invalid.birthday", reader)
        return friends.after_birthday(wish.month, wish.day, first, designs, reader)

    def _sign(self, does: str, turn: Turn, value: str) -> str:
        """A token for the button of this person, in this chat."""
        return self._links.sign(does, f"{_mark(turn)}.{value}")

    def _read(self, does: str, turn: Turn, token: str) -> str | None:
        """What this person's button carries; None for another's, or an old one."""
        now = turn.asked_at
        signed = self._links.read(does, token, lives=_BUTTON_LIVES, now=now)
        mark, _, value = (signed or "").partition(".")
        return value if mark == _mark(turn) else None


def _mark(turn: Turn) -> str:
    """Whose button it is, in a form that tells nobody."""
    return hash_token(f"{turn.merchant_id} {turn.event.person}")[:16]
