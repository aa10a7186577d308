"""What somebody does with what is theirs: each one transaction of one event.

Plain functions of an open transaction, as the actions they call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

from bot.personal_replies import Known
from bot.turn import Turn
from bot.wishes import ChooseNews, ClaimStamps, StopUsing, TellBirthday, UseVoucher
from core.actions.birthday import forget_birthday, tell_birthday
from core.actions.cards import cards_of_person, load_face
from core.actions.channels import line_channel
from core.actions.claims import list_claims, make_claim
from core.actions.erase import erase_customer, what_we_know
from core.actions.join import know_person
from core.actions.notices import choose_news, kinds_of_shop
from core.actions.publish import list_programs
from core.actions.redeem import load_voucher
from core.actions.redemptions import (
    ask_redemption,
    cancel_redemption,
    load_redemption,
)
from core.actions.referral import referral_code_of
from core.actions.unlink import links_of
from core.database import Tx
from core.errors import Invalid, NotFound
from core.links import chat_url
from core.rules.asking import LinePerson, Refused
from core.rules.claiming import ClaimView
from core.rules.face import CardFace
from core.rules.linking import Link
from core.rules.redeeming import Redemption, RedemptionId
from core.rules.reminding import Kind
from core.rules.types import CustomerId, Design, MerchantId, Voucher, Why
from core.wording import say

# Answers to claims are shown for so long.
CLAIMS_SHOWN = timedelta(days=14)
_MOST_CLAIMS = 5

Ticket = tuple[Redemption, Voucher, CardFace]


def claims_to_show(
    tx: Tx, merchant_id: MerchantId, line_user_id: str, now: datetime
) -> Sequence[ClaimView]:
    """A person's claims that wait, or were decided in the last 14 days."""
    customer = know_person(tx, merchant_id, line_user_id)
    if customer is None:
        return ()
    views = list_claims(tx, merchant_id, None, customer.id)
    since = now - CLAIMS_SHOWN
    return [
        view
        for view in views
        if view.claim.decided_at is None or view.claim.decided_at > since
    ][:_MOST_CLAIMS]


def who(tx: Tx, turn: Turn) -> tuple[CustomerId, list[CardFace]] | None:
    """The customer who writes, and their cards; None for somebody unknown."""
    user_id = turn.event.person
    customer = know_person(tx, turn.merchant_id, user_id)
    if customer is None:
        return None
    faces = cards_of_person(tx, turn.merchant_id, user_id, turn.asked_at)
    return customer.id, faces


def ask_use(tx: Tx, turn: Turn, wish: UseVoucher) -> Ticket | Refused:
    """The voucher waits for staff, or why it cannot be used."""
    merchant_id, now = turn.merchant_id, turn.asked_at
    customer = know_person(tx, merchant_id, turn.event.person)
    if customer is None:
        return Refused(why=Why.no_such_card)
    try:
        asked = ask_redemption(
            tx,
            merchant_id=merchant_id,
            voucher_id=wish.voucher_id,
            customer_id=customer.id,
            key=turn.key,
            now=now,
        )
    except NotFound:
        # A button of a card that went to somebody else, as when linking is undone.
        return Refused(why=Why.void_voucher)
    if isinstance(asked, Refused):
        return asked
    return load_ticket(tx, merchant_id, asked.id, now)


def load_ticket(
    tx: Tx, merchant_id: MerchantId, redemption_id: RedemptionId, now: datetime
) -> Ticket:
    """A request to use a voucher, the voucher and its card, as they are at `now`."""
    asked = load_redemption(tx, merchant_id, redemption_id, now)
    voucher = load_voucher(tx, merchant_id, asked.voucher_id)
    return asked, voucher, load_face(tx, merchant_id, voucher.card_id, now)


def stop_using(tx: Tx, turn: Turn, wish: StopUsing) -> Why | None:
    """None where the request waits no more; else why it cannot be stopped."""
    merchant_id = turn.merchant_id
    customer = know_person(tx, merchant_id, turn.event.person)
    if customer is None:
        return Why.no_such_card
    try:
        done = cancel_redemption(
            tx,
            merchant_id=merchant_id,
            redemption_id=wish.redemption_id,
            now=turn.asked_at,
            customer_id=customer.id,
        )
    except NotFound:
        return Why.expired_request
    return done.why if isinstance(done, Refused) else None


def claim(
    tx: Tx, turn: Turn, wish: ClaimStamps
) -> ClaimView | Refused | list[CardFace]:
    """The claim as it was kept, why it was not, or the cards it may be about."""
    merchant_id, now, user_id = turn.merchant_id, turn.asked_at, turn.event.person
    try:
        made = make_claim(
            tx,
            merchant_id=merchant_id,
            key=turn.key,
            now=now,
            person=LinePerson(user_id=user_id),
            card_id=wish.card_id,
            text=wish.text,
        )
    except Invalid as error:
        if "card_id" not in error.problems:
            raise
        faces = cards_of_person(tx, merchant_id, user_id, now)
        return [f for f in faces if f.state != "stopped" and not f.ranked_up]
    if isinstance(made, Refused):
        return made
    customer = know_person(tx, merchant_id, user_id)
    views = list_claims(tx, merchant_id, None, customer.id if customer else None)
    return next(view for view in views if view.claim.id == made.claim_id)


def erase(tx: Tx, turn: Turn, customer_id: CustomerId) -> bool:
    """Erase them; False where the button is that of an earlier life here."""
    customer = know_person(tx, turn.merchant_id, turn.event.person)
    if customer is not None and customer.id != customer_id:
        return False
    erase_customer(
        tx,
        merchant_id=turn.merchant_id,
        customer_id=customer_id,
        by=None,
        reason_code="left",
        now=turn.asked_at,
    )
    return True


def open_links(tx: Tx, turn: Turn) -> list[Link]:
    """What can still be taken back of this person's linkings, oldest first."""
    customer = know_person(tx, turn.merchant_id, turn.event.person)
    if customer is None:
        return []
    return links_of(tx, turn.merchant_id, customer.id, turn.asked_at)


def all_known(tx: Tx, turn: Turn) -> Known | None:
    """What we know of who writes; None for somebody unknown."""
    merchant_id, user_id = turn.merchant_id, turn.event.person
    customer = know_person(tx, merchant_id, user_id)
    if customer is None:
        return None
    rows = what_we_know(tx, merchant_id, customer.id)
    since = min(datetime.fromisoformat(row["created_at"]) for row in rows["customer"])
    faces = cards_of_person(tx, merchant_id, user_id, turn.asked_at)
    return Known(
        name=customer.name,
        member_no=customer.member_no,
        since=since,
        birthday=customer.birthday or "",
        referral_code=customer.referral_code or "",
        n_linked=len(rows["customer"]) - 1,
        n_claims=len(rows["claim"]),
        faces=tuple(faces),
        kinds=kinds_of_shop(tx, merchant_id),
        muted=customer.muted,
    )


def programs_with(
    tx: Tx, merchant_id: MerchantId, has: Callable[[Design], object]
) -> list[Design]:
    """The published designs of the open programs that have something."""
    programs = list_programs(tx, merchant_id)
    return [p.design for p in programs if p.state == "active" and has(p.design)]


def referrals(tx: Tx, merchant_id: MerchantId) -> list[Design]:
    """The designs that thank who brings a friend."""
    return programs_with(tx, merchant_id, lambda design: design.referral)


def gifts(tx: Tx, merchant_id: MerchantId) -> list[Design]:
    """The designs that have a gift for birthdays."""
    return programs_with(tx, merchant_id, lambda design: design.birthday)


def code_for_friends(tx: Tx, turn: Turn) -> tuple[str, str]:
    """The code that a customer gives to friends, and the link that sends it here."""
    customer = know_person(tx, turn.merchant_id, turn.event.person)
    channel = line_channel(tx, turn.merchant_id)
    assert customer is not None
    code = referral_code_of(tx, turn.merchant_id, customer.id, turn.asked_at)
    words = say("chat.friend.words", customer.language, code=code)
    return code, chat_url(channel.basic_id if channel else "", words)


def keep_birthday(tx: Tx, turn: Turn, wish: TellBirthday) -> date | None:
    """The day of the first gift; None where no year has such a day."""
    customer = know_person(tx, turn.merchant_id, turn.event.person)
    assert customer is not None
    try:
        return tell_birthday(
            tx,
            merchant_id=turn.merchant_id,
            customer_id=customer.id,
            month=wish.month,
            day=wish.day,
            now=turn.asked_at,
        )
    except Invalid:
        return None


def drop_birthday(tx: Tx, turn: Turn) -> None:
    """Forget the birthday of who writes, if they are known at all."""
    customer = know_person(tx, turn.merchant_id, turn.event.person)
    if customer is not None:
        forget_birthday(tx, turn.merchant_id, customer.id, turn.asked_at)


def own_birthday(tx: Tx, turn: Turn) -> str:
    """The birthday of who writes as "MM-DD", or ""."""
    customer = know_person(tx, turn.merchant_id, turn.event.person)
    return (customer.birthday if customer else "") or ""


def news_choices(tx: Tx, turn: Turn) -> tuple[tuple[Kind, ...], tuple[str, ...]]:
    """The kinds of notices that this shop has, and those that who writes has muted."""
    customer = know_person(tx, turn.merchant_id, turn.event.person)
    return kinds_of_shop(tx, turn.merchant_id), customer.muted if customer else ()


def keep_choice(
    tx: Tx, turn: Turn, wish: ChooseNews
) -> tuple[tuple[Kind, ...], tuple[str, ...]] | None:
    """The same once the choice is kept; None for somebody unknown."""
    merchant_id, now = turn.merchant_id, turn.asked_at
    customer = know_person(tx, merchant_id, turn.event.person)
    if customer is None:
        return None
    muted = choose_news(
        tx, merchant_id, customer.id, wish.kind, wants=wish.wants, now=now
    )
    return kinds_of_shop(tx, merchant_id), muted
