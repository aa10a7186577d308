"""What is said about somebody's own affairs: leaving, linking, their data. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.messages import (
    Message,
    Reader,
    button,
    plain_message,
    postback,
    text_message,
    with_quick,
)
from bot.notices import list_choices
from core.actions.link import CardSum
from core.rules.face import CardFace
from core.rules.linking import Link
from core.rules.reminding import Kind
from core.rules.types import Why
from core.wording import say, say_day, say_time

_LINKS_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What we know of a person, for their own eyes; "" for what nobody told us."""

    name: str
    member_no: str
    since: datetime
    birthday: str
    referral_code: str
    n_linked: int
    n_claims: int
    faces: tuple[CardFace, ...]
    kinds: tuple[Kind, ...] = ()
    muted: tuple[str, ...] = ()


def say_plainly(key: str, reader: Reader) -> list[Message]:
    """One sentence without blanks."""
    return with_quick([text_message(say(key, reader.language))], reader)


def say_why(why: Why, reader: Reader, then: str = "") -> list[Message]:
    """Why something was not done; `then` is the key of what to do instead."""
    lines = [say(f"why.{why.value}", reader.language, time="")]
    lines += [say(then, reader.language)] if then else []
    return with_quick([text_message("\n".join(lines))], reader)


# --- leaving and one's data -----------------------------------------------------------


def ask_to_leave(
    faces: Sequence[CardFace], token: str, reader: Reader
) -> list[Message]:
    """What will be gone, and the button that does it."""
    language = reader.language
    lines = [say("chat.leave.gone", language), say("chat.leave.gone_name", language)]
    lines += [
        say("chat.leave.gone_card", language, card=face.program_name, n=face.balance)
        for face in faces
    ]
    n_vouchers = sum(len(face.vouchers) for face in faces)
    if n_vouchers:
        lines.append(say("chat.leave.gone_vouchers", language, n=n_vouchers))
    lines.append(say("chat.leave.gone_passes", language))
    lines.append(say("chat.leave.until", language))
    leave = postback(
        say("chat.leave.button", language),
        f"a=leave&k={token}",
        say("chat.leave.spoken", language),
    )
    return plain_message(
        say("chat.leave.ask", language), lines, [button(leave)], reader
    )


def show_data(known: Known, reader: Reader) -> list[Message]:
    """All that is known of a person, in plain words."""
    language, zone = reader.language, reader.merchant.timezone

    def line(key: str, value: str) -> str:
        return f"{say(f'chat.data.{key}', language)}: {value}"

    lines = [
        line("name", known.name or say("chat.data.no_name", language)),
        line("member", known.member_no),
        line("since", say_day(known.since, zone, language)),
        line("birthday", _birthday(known.birthday, reader)),
    ]
    if known.referral_code:
        lines.append(line("referral", known.referral_code))
    if known.n_linked:
        n = say("chat.data.linked_count", language, n=known.n_linked)
        lines.append(line("linked", n))
    lines += [line("card", _card(face, reader)) for face in known.faces]
    if known.n_claims:
        n = say("chat.data.claims_count", language, n=known.n_claims)
        lines.append(line("claims", n))
    choices = list_choices(known.kinds, known.muted, language)
    lines.append(line("notices", choices or say("chat.data.notices_none", language)))
    lines.append(say("chat.data.erase", language))
    buttons = []
    if known.faces:
        label = say("chat.data.page", language)
        url = f"{reader.links.wallet(known.faces[0].code)}?openExternalBrowser=1"
        buttons.append(button({"type": "uri", "label": label, "uri": url}))
    return plain_message(say("chat.data.title", language), lines, buttons, reader)


def _card(face: CardFace, reader: Reader) -> str:
    text = say(
        "chat.data.card_line",
        reader.language,
        card=face.program_name,
        balance=face.balance,
        goal=face.goal,
        total=face.total,
    )
    if not face.vouchers:
        return text
    more = say("chat.data.card_vouchers", reader.language, n=len(face.vouchers))
    return f"{text} {more}"


def _birthday(birthday: str, reader: Reader) -> str:
    if not birthday:
        return say("chat.data.no_birthday", reader.language)
    month, day = (int(part) for part in birthday.split("-"))
    return say("chat.data.birthday_on", reader.language, month=month, day=day)


# --- linking ----------------------------------------------------------------------


def ask_to_link(sums: Sequence[CardSum], token: str, reader: Reader) -> list[Message]:
    """What becomes of the cards, and the button that does it."""
    language = reader.language
    lines = [line for each in sums for line in _sum(each, reader)]
    lines = lines or [say("chat.link.nothing", language)]
    lines.append(say("chat.link.undo", language))
    link = postback(
        say("chat.link.button", language),
        f"a=link&k={token}",
        say("chat.link.spoken", language),
    )
    buttons = [button(link, "primary")]
    return plain_message(say("chat.link.title", language), lines, buttons, reader)


def why_not_linked(why: Why, reader: Reader) -> list[Message]:
    """A code that links nobody, and what to do."""
    keys = {
        Why.expired_code: "expired",
        Why.used_code: "used",
        Why.unknown_code: "unknown",
        Why.wrong_merchant: "wrong",
        Why.same_person: "same",
        Why.already_linked: "linked",
    }
    if why not in keys:
        return say_why(why, reader)
    return say_plainly(f"chat.link.{keys[why]}", reader)


def ask_to_unlink(links: Sequence[tuple[Link, str]], reader: Reader) -> list[Message]:
    """The linkings that can be taken back, each with the token of its button."""
    language = reader.language
    lines, buttons = [say("chat.unlink.detail", language)], []
    for link, token in links[-_LINKS_SHOWN:]:
        time = say_time(link.linked_at, reader.merchant.timezone, language)
        label = say("chat.unlink.line", language, time=time)
        spoken = say("chat.unlink.spoken", language)
        do = say("chat.unlink.button", language)
        lines.append(label)
        buttons.append(
            button(postback(f"{do} ({time})", f"a=unlink&k={token}", spoken))
        )
    return plain_message(say("chat.unlink.title", language), lines, buttons, reader)


def _sum(each: CardSum, reader: Reader) -> list[str]:
    language = reader.language
    lines = [
        say(
            "chat.link.completed" if each.completed else "chat.link.sum",
            language,
            card=each.program_name,
            yours=each.yours,
            theirs=each.theirs,
            balance=each.balance,
        )
    ]
    for key, names in (("rewards", each.rewards), ("vouchers", each.vouchers)):
        if names:
            joined = "、".join(names) if language == "ja" else ", ".join(names)
            lines.append(say(f"chat.link.{key}", language, names=joined))
    return lines
