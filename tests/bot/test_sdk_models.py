"""The judge of our messages finds what it is there for."""

import pytest

from tests.bot.sdk_models import problems_of

GOOD = {
    "type": "flex",
    "altText": "a",
    "contents": {
        "type": "bubble",
        "body": {
            "type": "box",
            "layout": "vertical",
            "contents": [{"type": "text", "text": "a"}],
        },
    },
}


def changed(**changes):
    body = GOOD["contents"]["body"] | changes
    return GOOD | {"contents": {"type": "bubble", "body": body}}


def test_a_good_message_has_no_problem():
    assert problems_of(GOOD) == []


@pytest.mark.parametrize(
    "message",
    [
        changed(bgcolor="#FFFFFF"),
        changed(layout="diagonal"),
        changed(contents=[{"type": "text", "text": "a", "colour": "#000000"}]),
        changed(contents=[{"type": "text", "text": ""}]),
        changed(contents=[{"type": "text", "text": "a" * 31_000}]),
        GOOD | {"altText": "a" * 1501},
        GOOD | {"altText": ""},
        {"type": "text", "text": "🎁" * 2501},
        {"type": "text", "text": ""},
    ],
)
def test_a_bad_one_has(message):
    assert problems_of(message)
