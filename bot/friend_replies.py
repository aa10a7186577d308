"""What is said about friends who are brought, and about birthdays. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from bot.limits import URI
from bot.messages import (
    Message,
    Reader,
    button,
    plain_message,
    postback,
    text_message,
    with_quick,
)
from bot.personal_replies import say_plainly, say_why
from core.links import share_url
from core.rules.types import Design, Why
from core.wording import say, say_day

# Of a shop's name, so many letters go into a link: each may become twelve there.
_NAME_IN_LINK = 20


def show_code(
    designs: Sequence[Design], code: str, link: str, reader: Reader
) -> list[Message]:
    """The code for friends, and the button that sends it to one."""
    language = reader.language
    lines = [say("chat.friend.code", language, code=code), *_thanks(designs, reader)]
    lines.append(say("chat.friend.how", language))
    name = reader.merchant.name[:_NAME_IN_LINK]
    words = say("chat.friend.invite", language, merchant=name, code=code)
    url = share_url(f"{words}\n{link}".strip())
    send = {"type": "uri", "label": say("chat.friend.send", language), "uri": url}
    buttons = [button(send, "primary")] if len(url) <= URI else []
    return plain_message(say("chat.friend.title", language), lines, buttons, reader)


def after_code(designs: Sequence[Design], reader: Reader) -> list[Message]:
    """A friend's code was taken."""
    lines = [say("chat.friend.taken", reader.language), *_thanks(designs, reader)]
    return with_quick([text_message("\n".join(lines))], reader)


def why_no_code(why: Why, reader: Reader) -> list[Message]:
    """A friend's code was not taken, and why."""
    if why is Why.unknown_code:
        return say_plainly("chat.friend.unknown", reader)
    return say_why(why, reader)


def ask_birthday(
    designs: Sequence[Design], birthday: str, reader: Reader
) -> list[Message]:
    """The gifts for birthdays, the one that we know, and how to tell it."""
    language = reader.language
    lines = _gifts(designs, reader)
    if birthday:
        month, day = (int(part) for part in birthday.split("-"))
        lines.append(say("chat.birthday.known", language, month=month, day=day))
        lines.append(say("chat.birthday.change", language))
    else:
        lines.append(say("chat.birthday.how", language))
    lines.append(say("chat.birthday.rule", language))
    return plain_message(say("chat.birthday.title", language), lines, [], reader)


def ask_whether_birthday(month: int, day: int, reader: Reader) -> list[Message]:
    """A day without a word: is it their birthday?"""
    language = reader.language
    title = say("chat.birthday.is_it", language, month=month, day=day)
    spoken = say("chat.birthday.spoken", language, month=month, day=day)
    label = say("chat.birthday.yes", language)
    yes = postback(label, f"a=birthday&d={month}-{day}", spoken)
    lines = [say("chat.birthday.is_it_text", language)]
    return plain_message(title, lines, [button(yes, "primary")], reader)


def after_birthday(
    month: int, day: int, first: date, designs: Sequence[Design], reader: Reader
) -> list[Message]:
    """The birthday is kept, and from when on it brings its gift."""
    language = reader.language
    zone = reader.merchant.timezone
    lines = [
        say("chat.birthday.kept", language, month=month, day=day),
        *_gifts(designs, reader),
        say("chat.birthday.first", language, day=say_day(first, zone, language)),
        say("chat.birthday.forget", language),
    ]
    return with_quick([text_message("\n".join(lines))], reader)


def _thanks(designs: Sequence[Design], reader: Reader) -> list[str]:
    return [
        say("chat.friend.both", reader.language, card=design.name, n=design.referral)
        for design in designs
    ]


def _gifts(designs: Sequence[Design], reader: Reader) -> list[str]:
    return [
        say(
            "chat.birthday.gift",
            reader.language,
            card=design.name,
            gift=design.birthday.name,
        )
        for design in designs
        if design.birthday is not None
    ]
