"""Events are read as far as they go, and no further."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.events import read_event, read_webhook, reply_deadline
from tests.bot.line_house import text_event

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
MIKA = "U" + "1" * 32

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = ["type", "mode", "timestamp", "source", "webhookEventId", "deliveryContext"]
KEYS += ["replyToken", "message", "postback", "follow"]


def test_all_that_is_used_is_read():
    event = read_event(text_event(MIKA, "カード", NOW, "01E"), NOW)
    assert (event.id, event.kind, event.person) == ("01E", "message", MIKA)
    assert (event.text, event.reply_token) == ("カード", "r" * 32)
    assert event.at == NOW
    assert event.is_active
    assert not event.is_redelivery


@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_nothing_that_may_come_is_an_error(data: dict):
    body = json.dumps(
        {"destination": "U1", "events": [data, text_event(MIKA, "カード", NOW, "01E")]}
    ).encode()
    webhook = read_webhook(body, NOW)
    assert len(webhook.events) == 2
    for event in webhook.events:
        assert 1 <= len(event.id) <= 64
        assert len(event.person) <= 64
        assert event.at <= NOW
        event.body.encode()
        assert "\x00" not in event.body + event.id + event.person + event.kind
        # What the worker reads later is what the webhook read.
        again = read_event(json.loads(event.body), NOW)
        assert again == event


def test_an_event_without_an_id_gets_the_same_one_at_each_delivery():
    event = text_event(MIKA, "カード", NOW, "x")
    del event["webhookEventId"]
    again = dict(reversed(event.items())) | {"deliveryContext": {"isRedelivery": True}}
    first, second = read_event(event, NOW), read_event(again, NOW)
    assert first.id == second.id
    other = read_event(text_event(MIKA, "特典", NOW, ""), NOW)
    assert other.id != first.id


def test_half_a_surrogate_pair_is_replaced():
    event = read_event(text_event(MIKA, "カード\ud83d", NOW, "01E"), NOW)
    assert event.text == "カード?"


@pytest.mark.parametrize(
    ("source", "person", "place"),
    [
        ({"type": "user", "userId": MIKA}, MIKA, ""),
        ({"type": "user"}, "", ""),
        ({"type": "group", "groupId": "C1", "userId": MIKA}, "", "C1"),
        ({"type": "room", "roomId": "R1"}, "", "R1"),
        ({"type": "something new", "userId": MIKA}, "", ""),
        (None, "", ""),
    ],
)
def test_only_a_chat_of_two_has_a_person(source, person: str, place: str):
    event = read_event(text_event(MIKA, "カード", NOW, "01E", source=source), NOW)
    assert (event.person, event.place) == (person, place)


@pytest.mark.parametrize("stamp", [None, "soon", [], True, 1e300, "nan", -1e18])
def test_an_unreadable_time_counts_as_now(stamp):
    event = read_event(text_event(MIKA, "カード", NOW, "01E", timestamp=stamp), NOW)
    assert event.at in (NOW, datetime.fromtimestamp(0.001, UTC))


def test_a_reply_is_tried_for_fifty_seconds_and_never_after_twenty_minutes():
    fresh = text_event(MIKA, "カード", NOW - timedelta(minutes=19, seconds=30), "01E")
    late = fresh | {"deliveryContext": {"isRedelivery": True}}
    fifty = NOW + timedelta(seconds=50)
    assert reply_deadline(read_event(fresh, NOW), NOW) == fifty
    end = NOW + timedelta(seconds=30)
    assert reply_deadline(read_event(late, NOW), NOW) == end


@pytest.mark.parametrize("body", [b"", b"7", b"[]", b'"x"', b"\xff", b"[" * 99_999])
def test_what_is_no_object_is_refused(body: bytes):
    with pytest.raises(ValueError):
        read_webhook(body, NOW)


def test_events_that_are_no_list_are_none():
    webhook = read_webhook(b'{"events": {"a": 1}}', NOW)
    assert (webhook.events, webhook.destination) == ((), "")
