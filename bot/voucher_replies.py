"""What is said of vouchers: which there are, and one that waits for staff. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.flex import (
    Part,
    Row,
    card_in_words,
    flex_message,
    list_bubble,
)
from bot.limits import BUBBLES, cut_label
from bot.messages import (
    Message,
    Reader,
    button,
    postback,
    text_message,
    with_quick,
    with_rest,
)
from core.rules.face import CardFace
from core.rules.redeeming import Redemption
from core.rules.types import Language, Voucher
from core.wording import say, say_last_day, say_time

_VOUCHERS_SHOWN = 12
_NAME_SAID = 60


def list_vouchers(holding: Sequence[CardFace], reader: Reader) -> list[Message]:
    """The rewards to be used now; there is at least one on each of these cards."""
    bubbles = [_voucher_bubble(face, reader) for face in holding[:BUBBLES]]
    words = "\n".join(card_in_words(face, reader.language) for face in holding)
    title = say("bot.vouchers", reader.language)
    return with_rest(bubbles, f"{title}\n{words}", len(holding), reader)


def after_ask(
    asked: Redemption, voucher: Voucher, face: CardFace, reader: Reader
) -> list[Message]:
    """The answer to 「使う」: the ticket that staff are shown, or what became of it.

    What was used is said by `bot.replies.after_use`.
    """
    language = reader.language
    if asked.state != "waiting":
        return with_quick([text_message(_why_not(asked, voucher, language))], reader)
    title = say("chat.use.show", language)
    at = say_time(asked.expires_at, face.timezone, language)
    until = say("chat.use.until", language, time=at)
    rows = [
        Row(say("chat.use.reward", language), voucher.name, is_strong=True),
        Row(say("chat.use.until_label", language), until),
    ]
    number = f"No.{voucher.number}"
    note = say("chat.use.note", language)
    page = {
        "type": "uri",
        "label": say("chat.use.page", language),
        "uri": reader.links.use(asked.merchant_id, asked.id),
    }
    stop = say("chat.use.stop", language)
    buttons = [
        button(page, "primary"),
        button(postback(stop, f"a=stop&r={asked.id}", stop)),
    ]
    bubble = list_bubble(face, title, rows, large=number, note=note, buttons=buttons)
    words = "\n".join([title, f"{voucher.name} {number}", until])
    return with_quick([flex_message([bubble], words)], reader)


def after_stop(reader: Reader) -> list[Message]:
    """The answer to 「やめる」."""
    return with_quick([text_message(say("chat.use.stopped", reader.language))], reader)


def _why_not(asked: Redemption, voucher: Voucher, language: Language) -> str:
    name = voucher.name
    if asked.state == "done":
        return say("member.returned", language, name=name)
    if asked.state == "cancelled" and asked.staff_id is not None:
        return say("member.stopped", language, name=name)
    if asked.state == "cancelled":
        return say("chat.use.stopped", language)
    return say("why.expired_request", language)


def _voucher_bubble(face: CardFace, reader: Reader) -> Part:
    language = reader.language
    rows = []
    for voucher in face.vouchers[:_VOUCHERS_SHOWN]:
        until = say("card.expires_none", language)
        if voucher.expires_at is not None:
            day = say_last_day(voucher.expires_at, face.timezone, language)
            until = say("card.voucher_until", language, day=day)
        name = f"{voucher.name}\n{until}"
        use = _use_button(voucher, reader)
        rows.append(Row(f"No.{voucher.number}", name, is_strong=True, button=use))
    more = len(face.vouchers) - _VOUCHERS_SHOWN
    if more > 0:
        rows.append(Row("", say("bot.vouchers_more", language, n=more)))
    note = say("bot.vouchers_note", language)
    return list_bubble(face, say("bot.vouchers", language), rows, note=note)


def _use_button(voucher: Voucher, reader: Reader) -> Part:
    language = reader.language
    name = cut_label(voucher.name, _NAME_SAID)
    spoken = say("chat.use.spoken", language, name=name, number=voucher.number)
    label = say("chat.use.label", language)
    return button(postback(label, f"a=use&v={voucher.id}", spoken), "secondary")
