"""The buttons of a message, and tapping them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.bot.line_house import CHANNEL, LineHouse


def actions_in(part: Any) -> Iterator[dict[str, Any]]:
    """Every action of a message, in order; those of quick replies too."""
    if isinstance(part, dict):
        if isinstance(part.get("action"), dict):
            yield part["action"]
        for value in part.values():
            yield from actions_in(value)
    elif isinstance(part, Sequence) and not isinstance(part, str):
        for one in part:
            yield from actions_in(one)


def taps_in(message: dict[str, Any], does: str) -> list[dict[str, Any]]:
    """The buttons of a message that ask for `does`."""
    return [
        action
        for action in actions_in(message)
        if action["type"] == "postback"
        and f"{action['data']}&".startswith(f"a={does}&")
    ]


def link_in(message: dict[str, Any], part: str) -> str:
    """The address of the first button whose address has `part` in it."""
    return next(
        action["uri"]
        for action in actions_in(message)
        if action["type"] == "uri" and part in action["uri"]
    )


async def tap(house: LineHouse, user_id: str, action: dict[str, Any]) -> dict[str, Any]:
    """Tap a button; the (last) message of the answer."""
    await house.line.postback(
        CHANNEL, user_id, action["data"], display_text=action["displayText"]
    )
    return (await house.line.wait_for_reply(CHANNEL, user_id))[-1].message
