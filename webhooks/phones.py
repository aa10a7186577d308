"""What asks: a phone with which wallet, or a computer, and is it LINE's own browser.

Browsers say little and half of it for history's sake, so the order of the questions
counts. An iPad says that it is a Mac unless it is asked for pages of phones; it holds
no passes, and a Mac hands them on to the iPhone: both are offered the same.
"""

from __future__ import annotations

import re
from typing import Literal

from aiohttp import hdrs, web

# "mac": a Mac or an iPad, from which a pass may reach the iPhone.
Phone = Literal["apple", "google", "mac", "none"]

# LINE's browser says "… Safari Line/15.12.1", "… Safari/537.36 Line/14.9.0/IAB".
_LINE = re.compile(r" Line/\d")
# Links with this parameter leave LINE's browser for the phone's own.
# https://developers.line.biz/en/docs/messaging-api/using-line-url-scheme/
OUT = "openExternalBrowser"


def phone_of(request: web.Request) -> Phone:
    """Whose wallet the device that asks can hold."""
    return kind_of(request.headers.get(hdrs.USER_AGENT, ""))


def kind_of(agent: str) -> Phone:
    """The same, by what the browser calls itself."""
    if "Windows" in agent:
        # Phones with Windows named all the others as well.
        return "none"
    if "iPhone" in agent or "iPod" in agent:
        return "apple"
    if "Android" in agent:
        return "google"
    return "mac" if "iPad" in agent or "Macintosh" in agent else "none"


def is_in_line(request: web.Request) -> bool:
    """Is this LINE's own browser, which hands no pass to the phone?

    What is kept there (cookies) is not what the phone's browser has. Where LINE was
    asked already to hand the page over and did not, it has to do.
    """
    agent = request.headers.get(hdrs.USER_AGENT, "")
    return _LINE.search(agent) is not None and OUT not in request.query
