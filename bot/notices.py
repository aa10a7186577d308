"""News in words: a line under an answer, or a push of its own. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bot.messages import Message, text_message
from core.news_words import say_news
from core.rules.reminding import Kind, News
from core.rules.types import Language, Merchant
from core.wording import say

# LINE takes five messages at once.
_MOST = 5


def with_news(
    messages: Sequence[Message],
    news: Sequence[News],
    timezone: str,
    language: Language,
) -> list[Message]:
    """The answer, and before it what else there is to know.

    What somebody asked for stays last: it is what the chat list shows, and carries the
    buttons.
    """
    if not news or not has_room(messages):
        return list(messages)
    lines = [say_news(each, timezone, language) for each in news]
    return [text_message("\n".join(lines)), *messages]


def has_room(messages: Sequence[Message]) -> bool:
    """Can these messages carry one more?"""
    return 0 < len(messages) < _MOST


def draw_push(news: News, merchant: Merchant, language: Language) -> list[Message]:
    """A push: who writes, what is due, and how to have no more of these."""
    line = say_news(news, merchant.timezone, language)
    stop = say("notices.push_stop", language)
    return [text_message(f"{merchant.name}\n{line}\n\n{stop}")]


def list_choices(
    kinds: Sequence[Kind], muted: Collection[str], language: Language
) -> str:
    """All kinds in one line, for somebody's own data; "" where there are none."""
    between = "、" if language == "ja" else ", "
    return between.join(say_choice(kind, muted, language, "short") for kind in kinds)


def say_choice(
    kind: Kind, muted: Collection[str], language: Language, form: str = "line"
) -> str:
    """One kind of notices, and whether it is on; `form` is "line" or "short"."""
    state = "notices.chat.off" if kind in muted else "notices.chat.on"
    name = say(f"notices.kind.{kind}", language)
    said = say(state, language)
    return say(f"notices.chat.{form}", language, kind=name, state=said)
