"""LINE's documented limits on messages, checked the way LINE refuses them.

Written from the reference alone, apart from the bot's own limits, so that one proves
the other. https://developers.line.biz/en/reference/messaging-api/#message-objects
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

_KINDS = frozenset(
    [
        "text",
        "textV2",
        "sticker",
        "image",
        "video",
        "audio",
        "location",
        "imagemap",
        "template",
        "flex",
        "coupon",
    ]
)
_ACTIONS = frozenset(
    [
        "postback",
        "message",
        "uri",
        "datetimepicker",
        "camera",
        "cameraRoll",
        "location",
        "richmenuswitch",
        "clipboard",
    ]
)
_SCHEMES = frozenset({"http", "https", "line", "tel"})
_BUBBLE = 30 * 1024
_CAROUSEL = 50 * 1024

Problem = dict[str, str]


def check_messages(messages: object) -> list[Problem]:
    """What LINE would say against the `messages` of a reply or push; [] is good."""
    if not isinstance(messages, list) or not 1 <= len(messages) <= 5:  # noqa: PLR2004 -- LINE's own number
        return [_problem("messages", "Size must be between 1 and 5")]
    found: list[Problem] = []
    for index, message in enumerate(messages):
        found += _message(message, f"messages[{index}]")
    return found


def _message(message: object, at: str) -> Iterator[Problem]:
    if not isinstance(message, dict) or message.get("type") not in _KINDS:
        yield _problem(f"{at}.type", "must be a known message type")
        return
    if message["type"] == "text":
        yield from _length(message.get("text"), 5000, f"{at}.text", utf16=True)
    if message["type"] == "flex":
        yield from _length(message.get("altText"), 1500, f"{at}.altText")
        yield from _flex(message.get("contents"), f"{at}.contents")
    yield from _quick_reply(message.get("quickReply"), f"{at}.quickReply")
    yield from _actions(message, at)


def _flex(contents: object, at: str) -> Iterator[Problem]:
    kind = contents.get("type") if isinstance(contents, dict) else None
    if not isinstance(contents, dict) or kind not in ("bubble", "carousel"):
        yield _problem(f"{at}.type", "must be bubble or carousel")
        return
    bubbles = [contents]
    if kind == "carousel":
        bubbles = contents.get("contents") or []
        if not 1 <= len(bubbles) <= 12:  # noqa: PLR2004 -- LINE's own number
            yield _problem(f"{at}.contents", "Size must be between 1 and 12")
        if _size(contents) > _CAROUSEL:
            yield _problem(at, "carousel is larger than 50 KB")
        if len({bubble.get("size") for bubble in bubbles}) > 1:
            yield _problem(f"{at}.contents", "all bubbles must have one size")
    for index, bubble in enumerate(bubbles):
        if _size(bubble) > _BUBBLE:
            yield _problem(f"{at}[{index}]", "bubble is larger than 30 KB")
        if not any(bubble.get(part) for part in ("header", "hero", "body", "footer")):
            yield _problem(f"{at}[{index}]", "at least one block must be specified")


def _quick_reply(quick: object, at: str) -> Iterator[Problem]:
    if quick is None:
        return
    items = quick.get("items") if isinstance(quick, dict) else None
    if not isinstance(items, list) or not 1 <= len(items) <= 13:  # noqa: PLR2004 -- LINE's own number
        yield _problem(f"{at}.items", "Size must be between 1 and 13")
        return
    for index, item in enumerate(items):
        label = (item.get("action") or {}).get("label")
        yield from _length(label, 20, f"{at}.items[{index}].action.label")


def _actions(part: object, at: str) -> Iterator[Problem]:
    if isinstance(part, list):
        for index, one in enumerate(part):
            yield from _actions(one, f"{at}[{index}]")
    if not isinstance(part, dict):
        return
    for key, value in part.items():
        if key.lower().endswith("action") and isinstance(value, dict):
            yield from _action(value, f"{at}.{key}")
        if key == "text" and part.get("type") == "text" and not value:
            yield _problem(f"{at}.text", "must not be empty")
        yield from _actions(value, f"{at}.{key}")
    if part.get("type") == "button":
        yield from _length((part.get("action") or {}).get("label"), 40, f"{at}.label")


def _action(action: dict[str, Any], at: str) -> Iterator[Problem]:
    match action.get("type"):
        case "uri":
            yield from _length(action.get("uri"), 1000, f"{at}.uri")
            if urlsplit(str(action.get("uri"))).scheme not in _SCHEMES:
                yield _problem(f"{at}.uri", "invalid uri scheme")
        case "postback":
            yield from _length(action.get("data"), 300, f"{at}.data")
            if "displayText" in action:
                yield from _length(action["displayText"], 300, f"{at}.displayText")
        case "message":
            yield from _length(action.get("text"), 300, f"{at}.text")
        case other:
            if other not in _ACTIONS:
                yield _problem(f"{at}.type", "must be a known action type")


def _length(
    text: object, limit: int, at: str, *, utf16: bool = False
) -> Iterator[Problem]:
    if not isinstance(text, str) or not text:
        yield _problem(at, "May not be empty")
    elif (len(text.encode("utf-16-le")) // 2 if utf16 else len(text)) > limit:
        yield _problem(at, f"Length must be between 0 and {limit}")


def _size(part: object) -> int:
    return len(json.dumps(part, ensure_ascii=False, separators=(",", ":")).encode())


def _problem(where: str, message: str) -> Problem:
    return {"message": message, "property": where}
