"""Which device asks, by what real browsers call themselves."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from webhooks.phones import is_in_line, kind_of

_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_BLINK = "AppleWebKit/537.36 (KHTML, like Gecko)"

# What it says of itself, whose wallet it can hold, and is it LINE's own browser.
AGENTS = {
    "iPhone Safari": (
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) "
            f"{_WEBKIT} Version/18.6 Mobile/15E148 Safari/604.1"
        ),
        "apple",
        False,
    ),
    "iPhone Chrome": (
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) "
            f"{_WEBKIT} CriOS/139.0.7258.76 Mobile/15E148 Safari/604.1"
        ),
        "apple",
        False,
    ),
    "iPhone LINE": (
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) "
            f"{_WEBKIT} Mobile/15E148 Safari Line/15.12.1"
        ),
        "apple",
        True,
    ),
    "iPhone LIFF": (
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) "
            f"{_WEBKIT} Mobile/15E148 Safari Line/15.12.1 LIFF"
        ),
        "apple",
        True,
    ),
    "iPod touch": (
        (
            "Mozilla/5.0 (iPod touch; CPU iPhone OS 15_8 like Mac OS X) "
            f"{_WEBKIT} Version/15.6 Mobile/15E148 Safari/604.1"
        ),
        "apple",
        False,
    ),
    "iPad as a Mac": (
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
            f"{_WEBKIT} Version/18.5 Safari/605.1.15"
        ),
        "mac",
        False,
    ),
    "iPad as an iPad": (
        (
            "Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) "
            f"{_WEBKIT} Version/17.7 Mobile/15E148 Safari/604.1"
        ),
        "mac",
        False,
    ),
    "iPad LINE": (
        (
            "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) "
            f"{_WEBKIT} Mobile/15E148 Safari Line/15.12.1"
        ),
        "mac",
        True,
    ),
    "Mac Safari": (
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
            f"{_WEBKIT} Version/26.0 Safari/605.1.15"
        ),
        "mac",
        False,
    ),
    "Mac Chrome": (
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
            f"{_BLINK} Chrome/139.0.0.0 Safari/537.36"
        ),
        "mac",
        False,
    ),
    "Pixel Chrome": (
        (
            "Mozilla/5.0 (Linux; Android 10; K) "
            f"{_BLINK} Chrome/139.0.0.0 Mobile Safari/537.36"
        ),
        "google",
        False,
    ),
    "Galaxy browser": (
        (
            "Mozilla/5.0 (Linux; Android 15; SAMSUNG SM-S931B) "
            f"{_BLINK} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36"
        ),
        "google",
        False,
    ),
    "Android LINE": (
        (
            "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP2A.240805.005; wv) "
            f"{_BLINK} Version/4.0 Chrome/127.0.6533.103 Mobile Safari/537.36 "
            "Line/14.13.1/IAB"
        ),
        "google",
        True,
    ),
    "Android tablet": (
        (f"Mozilla/5.0 (Linux; Android 10; K) {_BLINK} Chrome/139.0.0.0 Safari/537.36"),
        "google",
        False,
    ),
    "Android Firefox": (
        "Mozilla/5.0 (Android 15; Mobile; rv:141.0) Gecko/141.0 Firefox/141.0",
        "google",
        False,
    ),
    "Android asking for pages of computers": (
        (f"Mozilla/5.0 (X11; Linux x86_64) {_BLINK} Chrome/139.0.0.0 Safari/537.36"),
        "none",
        False,
    ),
    "Windows Edge": (
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) "
            f"{_BLINK} Chrome/139.0.0.0 Safari/537.36 Edg/139.0.0.0"
        ),
        "none",
        False,
    ),
    "Windows phone": (
        (
            "Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) "
            f"{_BLINK} Chrome/52.0.2743.116 Mobile Safari/537.36 Edge/15.15063"
        ),
        "none",
        False,
    ),
    "LINE's preview": (
        "facebookexternalhit/1.1;line-poker/1.0",
        "none",
        False,
    ),
    "nothing": (
        "",
        "none",
        False,
    ),
}


@pytest.mark.parametrize("name", AGENTS)
def test_a_device_is_known_by_what_it_says(name):
    agent, kind, is_line = AGENTS[name]
    assert kind_of(agent) == kind
    asked = make_mocked_request("GET", "/w/x", {"User-Agent": agent})
    assert is_in_line(asked) == is_line


def test_where_line_does_not_hand_the_page_over_its_own_browser_has_to_do():
    agent, _, _ = AGENTS["iPhone LINE"]
    asked = make_mocked_request(
        "GET", "/w/x?openExternalBrowser=1", {"User-Agent": agent}
    )
    assert not is_in_line(asked)
