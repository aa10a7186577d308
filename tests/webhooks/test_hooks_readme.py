"""What the README tells those who receive webhooks is true, and enough."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import timedelta
from pathlib import Path

import pytest

from core.actions.join import follow
from core.rules.hooks import EVENTS, MAX_HOOKS, PING
from jobs.hooks import SECONDS
from jobs.pump import BACK_OFF
from tests.builders import person
from tests.jobs.hook_house import SECRET, consuming, office
from webhooks.api.openapi import document

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def words():
    """The section on webhooks."""
    text = README.read_text(encoding="utf-8")
    return text.split("### Webhooks", 1)[1].split("\n## ", 1)[0]


@pytest.fixture(scope="module")
def is_genuine(words):
    """The README's own code, run as it stands there."""
    (code,) = re.findall(r"```python\n(.*?)```", words, re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    return names["is_genuine"]


def test_the_example_verifies_by_the_code_and_by_the_words(words, is_genuine):
    found = re.search(
        r"secret `(\S+?)`, `t=(\d+)` and the body `(.+?)`, `v1` is `([0-9a-f]{64})`",
        words,
    )
    assert found is not None
    secret, t, body, v1 = found.groups()
    # The words alone: HMAC-SHA256 of t, a dot and the body, under the whole secret.
    expected = hmac.new(secret.encode(), f"{t}.{body}".encode(), hashlib.sha256)
    assert expected.hexdigest() == v1
    assert is_genuine(secret, f"t={t},v1={v1}", body.encode(), now=int(t) + 299)


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_a_real_delivery_verifies_and_a_changed_one_does_not(
    db, settings, vault, clock, shop, is_genuine
):
    local = settings.model_copy(update={"public_url": "http://localhost"})
    async with (
        consuming() as consumer,
        office(db, local, vault, clock, shop) as desk,
    ):
        await desk.hook(consumer.url)
        await db.write(
            follow, shop.merchant.id, person(name="花子🌸"), "f", clock.now()
        )
        await desk.pump.drain()
        (taken,) = consumer.taken
    header, now = taken.headers["X-Stampcard-Signature"], clock.now().timestamp()

    assert is_genuine(SECRET, header, taken.raw, now)
    assert not is_genuine(SECRET, header, taken.raw + b" ", now)
    assert not is_genuine(SECRET, header, taken.raw.replace(b"0", b"1", 1), now)
    assert not is_genuine("whsec_other", header, taken.raw, now)
    assert not is_genuine(SECRET, header.replace("t=1", "t=2", 1), taken.raw, now)
    assert not is_genuine(SECRET, header, taken.raw, now + 301)
    for place in range(len(taken.raw)):
        turned = bytearray(taken.raw)
        turned[place] ^= 1
        assert not is_genuine(SECRET, header, bytes(turned), now)


def test_it_names_every_event_header_and_number(words):
    for name in (
        *EVENTS,
        PING,
        "X-Stampcard-Event",
        "X-Stampcard-Delivery",
        "X-Stampcard-Signature",
        "410 Gone",
        f"{SECONDS:.0f} seconds",
        "1 s, 2 s, 4 s",
        "24 h",
        "about two days",
    ):
        assert name in words, name
    assert MAX_HOOKS == 5
    assert "Up to five" in words
    span = sum(BACK_OFF, timedelta())
    assert timedelta(days=1.5) < span < timedelta(days=2.5)


def test_the_document_has_the_same_events():
    said = document("https://x")
    assert set(said["webhooks"]) == {*EVENTS, PING}
    known = {
        operation["operationId"]
        for path in said["paths"].values()
        for operation in path.values()
    }
    led_to = {
        link["operationId"]
        for path in said["paths"].values()
        for operation in path.values()
        for answer in operation["responses"].values()
        for link in answer.get("links", {}).values()
    }
    assert led_to
    assert led_to <= known
