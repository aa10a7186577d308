"""LINE's own models and limits as judges of a message."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bot import limits
from jobs.demo.line_limits import check_messages


def problems_of(message: dict[str, Any]) -> list[str]:
    """What LINE would not take, or silently drop; [] is good.

    The SDK's models drop keys that they do not know, so a message that comes back
    changed has a misspelt key in it.
    """
    from linebot.v3.messaging import Message

    try:
        back = Message.from_dict(json.loads(json.dumps(message))).to_dict()
    except ValueError as error:
        return [str(error)]
    found = [] if back == message else [f"changed by LINE's models: {back}"]
    found += [str(problem) for problem in check_messages([message])]
    return found + list(_too_long(message))


class Judge:
    """Refuses as LINE would what LINE would not take, and remembers it.

    For who is refused says it in plain words: nobody would notice in the chat.
    """

    def __init__(self) -> None:
        self.found: list[str] = []

    def __call__(self, message: dict[str, Any]) -> list[str]:
        problems = problems_of(message)
        self.found += [f"{problem}: {message}" for problem in problems]
        return problems


def _too_long(message: dict[str, Any]) -> Iterator[str]:
    if message["type"] == "text":
        n = limits.utf16_length(message["text"])
        if not 0 < n <= 5000:
            yield f"text of {n} UTF-16 units"
    else:
        if not 0 < limits.utf16_length(message["altText"]) <= 1500:
            yield "altText too long"
        contents = message["contents"]
        whole = len(json.dumps(contents))
        if contents["type"] == "carousel" and whole > 50 * 1024:
            yield f"carousel of {whole} bytes"
        for bubble in contents.get("contents", [contents]):
            if len(json.dumps(bubble)) > 30 * 1024:
                yield "bubble too large"
    items = message.get("quickReply", {}).get("items", [])
    for item in items:
        if len(limits.clusters(item["action"]["label"])) > 20:
            yield "quick reply label too long"
