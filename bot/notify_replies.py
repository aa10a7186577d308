"""Choosing one's notices in the chat: which there are, and each on or off. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bot.messages import Message, Reader, button, plain_message, postback
from bot.notices import say_choice
from bot.personal_replies import say_plainly
from core.rules.reminding import Kind
from core.rules.types import Language
from core.wording import say


def show_choices(
    kinds: Sequence[Kind], muted: Collection[str], reader: Reader, said: str = ""
) -> list[Message]:
    """Every kind that this shop has, with its button; `said` stands first."""
    if not kinds:
        return say_plainly("notices.chat.none", reader)
    language = reader.language
    lines = [say("notices.chat.lead", language)]
    lines += [say_choice(kind, muted, language) for kind in kinds]
    lines.append(say("notices.chat.how", language))
    buttons = [button(_turn(kind, kind in muted, language)) for kind in kinds]
    title = said or say("notices.chat.title", language)
    return plain_message(title, lines, buttons, reader)


def after_choice(
    kind: Kind, kinds: Sequence[Kind], muted: Collection[str], reader: Reader
) -> list[Message]:
    """What was chosen, and all of them as they are now."""
    key = "notices.chat.is_off" if kind in muted else "notices.chat.is_on"
    name = say(f"notices.kind.{kind}", reader.language)
    said = say(key, reader.language, kind=name)
    return show_choices(kinds or (kind,), muted, reader, said)


def _turn(kind: Kind, is_muted: bool, language: Language) -> dict[str, object]:
    key = "notices.chat.turn_on" if is_muted else "notices.chat.turn_off"
    label = say(key, language, kind=say(f"notices.kind.{kind}", language))
    return postback(label, f"a=news&k={kind}&on={int(is_muted)}", label)
