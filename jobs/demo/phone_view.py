"""What the phone page shows, as JSON: the chat, the menu, the passes, the steps."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from core.rules.types import Language
from jobs.demo import google_view
from jobs.demo.apple_phone import PhonePass
from jobs.demo.line_menus import menu_for
from jobs.demo.line_world import ChatItem
from jobs.demo.pass_file import GROUPS
from jobs.demo.phone_parts import DemoParts, OpenCode

Json = dict[str, Any]

PICTURES = ("icon", "logo", "strip")
_LAST_LINES = 80
_TOKYO = ZoneInfo("Asia/Tokyo")
# Crockford's letters of a till code, or the six digits that are typed instead.
_CODE = re.compile(r"\b(?:[0-9A-HJKMNP-TV-Z]{8}|\d{6})\b")


def state(
    parts: DemoParts, codes: list[OpenCode], saved: list[str], language: Language
) -> Json:
    """Everything the page draws; `saved` are the Google passes on the phone."""
    world = parts.line.world
    chat = world.chat(parts.channel_id, parts.user_id)
    person = world.people[parts.user_id]
    typing = world.typing.get((parts.channel_id, parts.user_id))
    apple = [apple_pass(held, language) for held in parts.phone.passes.values()]
    google = google_passes(parts, saved, language)
    return {
        "shop": parts.shop_name,
        "person": person.name,
        "is_friend": parts.channel_id in person.friends,
        "is_typing": typing is not None and typing > parts.clock.now(),
        "chat": [_line(item) for item in chat[-_LAST_LINES:]],
        "menu": _menu(parts),
        "codes": [{**code, "text": prefilled(code["line_url"])} for code in codes],
        "apple": apple,
        "google": google,
        "has_google": parts.google is not None,
        "notices": [
            {"id": n.notice_id, "serial": n.serial, "text": n.text}
            for n in parts.phone.notices[-5:]
        ],
        "steps": {
            "friend": parts.channel_id in person.friends,
            "stamp": _was_scanned(chat),
            "wallet": bool(apple or google),
        },
    }


def prefilled(line_url: str) -> str:
    """What an oaMessage link puts into the chat's input, "" for any other link.

    https://developers.line.biz/en/docs/messaging-api/using-line-url-scheme/
    """
    link = urlsplit(line_url)
    if link.hostname != "line.me" or not link.path.startswith("/R/oaMessage/"):
        return ""
    return unquote(link.query)


def apple_pass(held: PhonePass, language: Language) -> Json:
    """One Apple pass as it is drawn."""
    file, info = held.file, held.file.info
    barcodes = info.get("barcodes") or [info.get("barcode") or {}]
    return {
        "serial": file.serial,
        "updates": held.n_updates,
        "registered": held.is_registered,
        "voided": bool(info.get("voided")),
        "name": file.say(info.get("organizationName", ""), language),
        "description": file.say(info.get("description", ""), language),
        "logo_text": file.say(info.get("logoText", ""), language),
        "background": info.get("backgroundColor", "rgb(90, 90, 95)"),
        "foreground": info.get("foregroundColor", "rgb(255, 255, 255)"),
        "label": info.get("labelColor")
        or info.get("foregroundColor", "rgb(255, 255, 255)"),
        "fields": {group: file.fields(group, language) for group in GROUPS},
        "code": barcodes[0].get("message", ""),
        "code_text": barcodes[0].get("altText", ""),
        "pictures": {
            name: f"/pass/{file.serial}/{name}?lang={language}&v={_digest(found)}"
            for name in PICTURES
            if (found := file.picture(name, language))
        },
    }


def google_passes(parts: DemoParts, saved: list[str], language: Language) -> list[Json]:
    """The saved Google passes as they are drawn."""
    if parts.google is None:
        return []
    found = []
    # A drill moves the service's clock, no phone's.
    at = parts.clock.now() - parts.clock.offset
    for object_id in saved:
        of_object = parts.google.objects.get(object_id)
        if of_object is not None:
            of_class = parts.google.classes.get(of_object.get("classId", ""), {})
            found.append(google_view.view(of_object, of_class, language, at))
    return found


def _line(item: ChatItem) -> Json:
    local = item.at.astimezone(_TOKYO)
    return {
        "id": item.message_id,
        "who": item.who,
        "how": item.how,
        "at": f"{local.hour}:{local.minute:02d}",
        "message": item.message,
    }


def _menu(parts: DemoParts) -> Json | None:
    channel = parts.line.world.channel(parts.channel_id)
    menu = menu_for(channel, parts.user_id)
    if menu is None or not menu.picture:
        return None
    return {
        "id": menu.menu_id,
        "bar": menu.body.get("chatBarText", ""),
        "size": menu.body["size"],
        "areas": menu.body["areas"],
        "is_open": bool(menu.body.get("selected")),
    }


def _was_scanned(chat: list[ChatItem]) -> bool:
    for index, item in enumerate(chat):
        if item.who == "person" and _CODE.search(str(item.message.get("text", ""))):
            return any(later.who == "bot" for later in chat[index:])
    return False


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
