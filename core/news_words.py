"""News in words: the same sentences in the chat and on passes. Pure."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from babel.dates import format_date

from core.rules.days import last_day
from core.rules.reminding import LastNews, News
from core.rules.types import Language
from core.wording import say, say_day

# Further ahead a month and a day alone could be those of another year.
_NEAR = 180


def say_news(news: News, timezone: str, language: Language) -> str:
    """One line: what is due, until which day, and how many days are left."""
    if news.ends_at is None:
        return say("notices.line.open", language, name=news.name)
    day = last_day(news.ends_at, ZoneInfo(timezone))
    is_near = news.days_left < _NEAR
    left = "left" if news.days_left else "today"
    return say(
        f"notices.line.{news.kind}",
        language,
        card=news.card,
        name=news.name,
        stamps=say("notices.stamps", language, n=news.stamps),
        day=_month_day(day, language) if is_near else say_day(day, timezone, language),
        left=say(f"notices.{left}", language, n=news.days_left),
    )


def say_last_news(last: LastNews, timezone: str, language: Language) -> str:
    """The same as it was said on its day: a pass keeps it until the next."""
    said_on = _month_day(last.at.astimezone(ZoneInfo(timezone)).date(), language)
    said = say_news(last.news, timezone, language)
    return say("notices.said_on", language, day=said_on, said=said)


def _month_day(day: date, language: Language) -> str:
    if language == "ja":
        return f"{day.month}/{day.day}"
    return format_date(day, "MMM d", locale="en")
