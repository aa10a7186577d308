"""What is said about where somebody is. Pure."""

from __future__ import annotations

from bot.limits import QUICK_LABEL, cut_label
from bot.messages import Message, Reader, text_message, with_quick
from core.actions.place import PlaceAsked
from core.wording import say

_KILOMETRE = 1000


def ask_where(asked: PlaceAsked, reader: Reader) -> list[Message]:
    """The code is good near a shop only: where are you?"""
    near = {"shop": asked.shop_name, "radius": _distance(asked.radius_m, reader)}
    lines = [say("place.ask", reader.language, **near), _how(reader)]
    return _with_button("\n\n".join(lines), reader)


def still_far(asked: PlaceAsked, metres: int, reader: Reader) -> list[Message]:
    """How far from the shop they are, and that they may try again."""
    text = say(
        "place.far",
        reader.language,
        shop=asked.shop_name,
        distance=_distance(metres, reader),
        radius=_distance(asked.radius_m, reader),
    )
    return _with_button(text, reader)


def not_asked(reader: Reader) -> list[Message]:
    """A place that nobody asked for, or too late."""
    text = say("place.not_asked", reader.language)
    return with_quick([text_message(text)], reader)


def _how(reader: Reader) -> str:
    return say("place.how", reader.language)


def _with_button(text: str, reader: Reader) -> list[Message]:
    # Phones only: PC LINE shows no quick replies and can send no place either, so the
    # words say so.
    label = cut_label(say("place.button", reader.language), QUICK_LABEL)
    action = {"type": "location", "label": label}
    return with_quick([text_message(text)], reader, [action])


def _distance(metres: int, reader: Reader) -> str:
    """To ten metres, and from a kilometre on to a tenth of one."""
    if metres < _KILOMETRE:
        return say("place.metres", reader.language, n=-(-metres // 10) * 10)
    return say("place.kilometres", reader.language, n=f"{metres / _KILOMETRE:,.1f}")
