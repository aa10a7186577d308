"""What is said in the chat: outcomes and cards become one to five LINE messages.

Read by a customer at a till with a queue behind: what happened stands first, in one
line, and the card below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from bot.flex import (
    Headline,
    Part,
    Row,
    card_bubble,
    card_in_words,
    list_bubble,
    page_button,
)
from bot.limits import BUBBLES, sent_bytes
from bot.messages import (
    Message,
    Reader,
    fits,
    text_message,
    with_quick,
    with_rest,
)
from bot.voucher_replies import list_vouchers
from core.card_words import say_entry
from core.rules.asking import Granted, Refused
from core.rules.face import CardFace
from core.rules.types import CardId, Entry, Language, Voucher
from core.wording import say, say_time, say_yen


def after_grant(
    outcome: Granted | Refused, faces: Sequence[CardFace], reader: Reader
) -> list[Message]:
    """The answer to a code: what happened, and under it the card as it is now.

    `faces` are the cards to show: the one that the outcome is about, or all of the
    person's where it is about none; maybe nothing. Where a rank-up card has begun,
    they are that one and the one that led to it.
    """
    if isinstance(outcome, Granted):
        began = _with_id(faces, outcome.next_card_id)
        stamped = _with_id(faces, outcome.card_id) or faces[-1]
        headline = _granted(outcome, stamped, began, reader)
        return _cards([began, stamped] if began else [stamped], reader, headline)
    why = _refusal(outcome, reader)
    if not faces:
        return with_quick([text_message(why)], reader)
    return _cards(_in_use(faces), reader, Headline(why, "notice"))


def after_use(
    used_at: datetime, voucher: Voucher, face: CardFace, reader: Reader
) -> list[Message]:
    """The answer to 「使う」 once staff confirmed it: when, which, and the card."""
    language = reader.language
    at = used_at.astimezone(ZoneInfo(face.timezone))
    title = say("member.used", language, time=f"{at:%H:%M}", number=voucher.number)
    named = {"name": voucher.name, "number": voucher.number}
    detail = say("chat.use.used", language, **named)
    return _cards([face], reader, Headline(title, "good", detail))


def show_cards(faces: Sequence[CardFace], reader: Reader) -> list[Message]:
    """All cards of a person."""
    if not faces:
        return no_cards(reader)
    return _cards(_in_use(faces), reader, None)


def show_member(faces: Sequence[CardFace], reader: Reader) -> list[Message]:
    """The member number in large letters, the page with its code, and the cards."""
    if not faces:
        return no_cards(reader)
    language, shown = reader.language, _in_use(faces)
    number = say("bot.member", language, number=shown[0].member_no)
    page = reader.links.member(shown[0].card_id)
    opens = page_button(shown[0], say("member.open", language), page)
    headline = Headline(number, "good", say("bot.member_detail", language), opens)
    return _cards(shown, reader, headline)


def welcome(faces: Sequence[CardFace], reader: Reader, *, again: bool) -> list[Message]:
    """The answer to a new friend: the card is there already."""
    if not faces:
        return no_cards(reader)
    key = "bot.welcome_back" if again else "bot.welcome"
    title = say(key, reader.language, merchant=reader.merchant.name)
    headline = Headline(title, "good", say(f"{key}_detail", reader.language))
    return _cards(_in_use(faces), reader, headline)


def no_cards(reader: Reader) -> list[Message]:
    """The merchant has published no card yet."""
    text = say("bot.no_program", reader.language, merchant=reader.merchant.name)
    return with_quick([text_message(text)], reader)


def show_vouchers(faces: Sequence[CardFace], reader: Reader) -> list[Message]:
    """The rewards to be used now, and how far the next ones are."""
    if not faces:
        return no_cards(reader)
    holding = [face for face in faces if face.vouchers]
    if holding:
        return list_vouchers(holding, reader)
    headline = Headline(say("bot.vouchers_none", reader.language), "good")
    return _cards(_in_use(faces), reader, headline)


def show_history(
    faces: Sequence[CardFace],
    entries: Sequence[Sequence[Entry]],
    reader: Reader,
    more: str = "",
) -> list[Message]:
    """The latest entries of each card, newest first; `entries` go with `faces`.

    `more` is said after them, as of what was claimed.
    """
    if not faces:
        return no_cards(reader)
    title = say("bot.history", reader.language)
    bubbles, words = [], [title]
    for face, found in zip(faces[:BUBBLES], entries, strict=False):
        rows = [_entry_row(face, entry, reader) for entry in found]
        rows = rows or [Row("", say("bot.history_none", reader.language))]
        bubbles.append(list_bubble(face, title, rows))
        words += [face.program_name, *(f"{row.label} {row.text}" for row in rows)]
    messages = with_rest(bubbles, "\n".join(words), len(faces), reader)
    if not more:
        return messages
    # Buttons show under the last message only.
    del messages[-1]["quickReply"]
    return with_quick([*messages, text_message(more)], reader)


def explain(reader: Reader) -> list[Message]:
    """The help: how to collect, and every word that works."""
    contact = reader.merchant.contact or say("bot.help_shop", reader.language)
    text = say("bot.help", reader.language, contact=contact)
    return with_quick([text_message(text)], reader)


def decline_group(reader: Reader) -> list[Message]:
    """Said once before the bot leaves a group."""
    return [text_message(say("bot.group", reader.language))]


def in_plain_words(messages: Sequence[Message]) -> list[Message]:
    """The same without any layout, for when LINE refuses ours."""
    return [
        text_message(str(m.get("altText") or m.get("text") or "")) for m in messages
    ]


def _granted(
    outcome: Granted, face: CardFace, began: CardFace | None, reader: Reader
) -> Headline:
    """What happened to `face`, and which card `began` by it."""
    language = reader.language
    title = _given(outcome, face, language)
    if began is not None:
        great = say("bot.ranked_up", language, card=began.program_name)
        title = f"{great}\n{title}"
    elif outcome.completed:
        title = f"{say('bot.full', language)}\n{title}"
    details = [say("bot.doubled", language)] if outcome.doubled else []
    if outcome.completed:
        details.append(say("bot.full_detail", language, goal=face.goal))
    details += [
        say("bot.earned", language, name=voucher.name, number=voucher.number)
        for held in (face, *([began] if began else []))
        for voucher in held.vouchers
        if voucher.id in outcome.vouchers
    ]
    if face.thanks:
        details.append(face.thanks)
    return Headline(title, "good", "\n".join(details))


def _given(outcome: Granted, face: CardFace, language: Language) -> str:
    if outcome.stamps:
        return say("bot.granted", language, n=outcome.stamps)
    if face.to_spend is None:
        return say("bot.noted", language)
    return say("bot.almost", language, amount=say_yen(face.to_spend))


def _with_id(faces: Sequence[CardFace], card_id: CardId | None) -> CardFace | None:
    return next((face for face in faces if face.card_id == card_id), None)


def _in_use(faces: Sequence[CardFace]) -> Sequence[CardFace]:
    """Without cards that another has taken over from and nothing is left on."""
    return [face for face in faces if not face.ranked_up or face.vouchers] or faces


def _refusal(outcome: Refused, reader: Reader) -> str:
    zone, language = reader.merchant.timezone, reader.language
    time = say_time(outcome.retry_at, zone, language) if outcome.retry_at else ""
    return say(f"why.{outcome.why.value}", language, time=time)


def _cards(
    faces: Sequence[CardFace], reader: Reader, headline: Headline | None
) -> list[Message]:
    """All in one message; the largest cards become bars until the carousel fits."""
    shown = faces[:BUBBLES]
    heads = [headline] + [None] * (len(shown) - 1)
    bubbles = [
        _card(face, reader, head, is_compact=False)
        for face, head in zip(shown, heads, strict=True)
    ]
    if not fits(bubbles):
        for i in sorted(range(len(shown)), key=lambda i: -sent_bytes(bubbles[i])):
            bubbles[i] = _card(shown[i], reader, heads[i], is_compact=True)
            if fits(bubbles):
                break
    words = [card_in_words(face, reader.language) for face in shown]
    if headline is not None:
        words.insert(0, f"{headline.text}\n{headline.detail}".strip())
    return with_rest(bubbles, "\n".join(words), len(faces), reader)


def _card(
    face: CardFace, reader: Reader, headline: Headline | None, *, is_compact: bool
) -> Part:
    # LINE's own browser hands no pass to the phone: the wallet link must leave it.
    # https://developers.line.biz/en/docs/messaging-api/using-line-url-scheme/
    page = reader.links.wallet(face.code)
    wallet = f"{page}?openExternalBrowser=1"
    return card_bubble(
        face,
        reader.language,
        wallet_url=wallet if reader.has_wallet else None,
        # Of a protected card everybody's page shows no code: the holder's leads to one.
        card_url=page if face.changing_code else reader.links.card(face.code),
        headline=headline,
        is_compact=is_compact,
    )


def _entry_row(face: CardFace, entry: Entry, reader: Reader) -> Row:
    language = reader.language
    shop = next((s.name for s in face.shops if s.id == entry.shop_id), "")
    text = say(
        "bot.entry.line_at" if shop else "bot.entry.line",
        language,
        what=say_entry(entry, language),
        n=f" {entry.stamps:+d}" if entry.stamps else "",
        balance=entry.balance,
        shop=shop,
    )
    return Row(say_time(entry.at, face.timezone, language), text)
