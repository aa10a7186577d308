"""LINE's webhook over real HTTP: what is answered, what is kept, what is logged."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from sqlalchemy import select
from structlog.testing import capture_logs

from core.actions.apply import apply_channel
from core.actions.channels import LINE_SECRET
from core.database import Database, Tx
from core.store.tables import inbox
from core.vault import Vault
from jobs.demo.line_events import envelope, signature
from tests.bot.line_house import LineHouse, text_event
from tests.bot.sdk_fixtures import official_events
from tests.builders import BOT_USER_ID, BuiltShop
from tests.conftest import ManualClock
from webhooks import line
from webhooks.keys import CLOCK, DB, VAULT

MIKA = "U" + "1" * 32


@pytest.fixture
async def web_client(
    db: Database, shop: BuiltShop, clock: ManualClock, vault: Vault
) -> AsyncIterator[TestClient]:
    app = web.Application()
    app[DB], app[CLOCK], app[VAULT] = db, clock, vault
    app.add_routes(line.routes)
    async with TestClient(TestServer(app)) as client:
        yield client


async def post(
    client: TestClient, body: bytes, secret: str, path: str = "/line/aozora"
) -> int:
    headers = {"x-line-signature": signature(secret, body)}
    async with client.post(path, data=io.BytesIO(body), headers=headers) as answer:
        return answer.status


async def kept(db: Database) -> list[Any]:
    def read(tx: Tx) -> list[Any]:
        return list(tx.execute(select(inbox).order_by(inbox.c.event_id)))

    return await db.read(read)


async def test_an_event_is_kept_before_line_hears_200(web_client, db, shop, clock):
    event = text_event(MIKA, "カード", clock.now(), "01EVENT")
    body = envelope(BOT_USER_ID, [event])
    assert await post(web_client, body, shop.channel_secret) == 200
    (row,) = await kept(db)
    assert (row.event_id, row.person) == ("01EVENT", MIKA)
    assert json.loads(row.body) == event
    assert row.happened_at == clock.now()
    assert row.reply_deadline == clock.now() + timedelta(seconds=50)


async def test_the_same_event_is_kept_once(web_client, db, shop, clock):
    event = text_event(MIKA, "カード", clock.now(), "01EVENT")
    again = event | {"deliveryContext": {"isRedelivery": True}}
    for events in ([event], [again, event], [again]):
        body = envelope(BOT_USER_ID, events)
        assert await post(web_client, body, shop.channel_secret) == 200
    assert len(await kept(db)) == 1


async def test_the_console_s_check_with_no_events_is_200(web_client, db, shop):
    body = envelope(BOT_USER_ID, [])
    assert await post(web_client, body, shop.channel_secret) == 200
    assert await kept(db) == []


@pytest.mark.parametrize("header", [None, "", "x", "ä", "A" * 44])
async def test_without_a_good_signature_nothing_is_kept(web_client, db, clock, header):
    body = envelope(BOT_USER_ID, [text_event(MIKA, "カード", clock.now(), "01E")])
    headers = {} if header is None else {"X-Line-Signature": header}
    async with web_client.post("/line/aozora", data=body, headers=headers) as answer:
        assert answer.status == 401
        assert await answer.read() == b""
    assert await kept(db) == []


async def test_a_changed_byte_breaks_the_signature(web_client, shop):
    body = envelope(BOT_USER_ID, [])
    headers = {"X-LINE-SIGNATURE": signature(shop.channel_secret, body)}
    async with web_client.post(
        "/line/aozora", data=body + b" ", headers=headers
    ) as answer:
        assert answer.status == 401


async def test_the_previous_secret_is_taken_while_it_is_replaced(
    web_client, db, shop, vault, clock
):
    def seal(secret: str) -> str:
        return vault.seal(secret, shop.merchant.id, LINE_SECRET)

    channel = {
        "channel_id": "1234567890",
        "sealed_secret": seal("the new one"),
        "sealed_previous_secret": seal(shop.channel_secret),
        "bot_user_id": BOT_USER_ID,
        "basic_id": "@aozora",
    }
    await db.write(apply_channel, shop.merchant.id, "line", channel, clock.now())
    body = envelope(BOT_USER_ID, [])
    assert await post(web_client, body, "the new one") == 200
    assert await post(web_client, body, shop.channel_secret) == 200
    assert await post(web_client, body, "a third one") == 401


async def test_an_unknown_merchant_is_404(web_client, shop):
    body = envelope(BOT_USER_ID, [])
    assert await post(web_client, body, shop.channel_secret, "/line/nobody") == 404


async def test_a_mebibyte_is_taken_and_a_byte_more_is_not(web_client, shop):
    body = envelope(BOT_USER_ID, [])
    full = body + b" " * (2**20 - len(body))
    assert await post(web_client, full, shop.channel_secret) == 200
    assert await post(web_client, full + b" ", shop.channel_secret) == 413


async def test_too_much_in_chunks_is_413_as_well(web_client, shop):
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 65536

    # The server may hang up on a sender that goes on and on.
    try:
        async with web_client.post("/line/aozora", data=parts()) as answer:
            assert answer.status == 413
    except aiohttp.ClientConnectionError:
        pass


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000]
)
async def test_signed_but_broken_is_400_and_logged(web_client, shop, body):
    with capture_logs() as logs:
        assert await post(web_client, body, shop.channel_secret) == 400
    (entry,) = [e for e in logs if e["event"] == "line_webhook"]
    assert entry["status"] == 400
    assert entry["problem"]


async def test_one_odd_event_loses_no_other(web_client, db, shop, clock):
    good = text_event(MIKA, "カード", clock.now(), "01GOOD")
    odd: list[Any] = [
        None,
        7,
        "text",
        [],
        {},
        {"type": None, "source": "nobody", "timestamp": "yesterday"},
        {"type": "message", "message": {"type": "text", "text": "\ud83d"}},
        {"type": "message", "webhookEventId": "x" * 5000, "timestamp": 1e300},
        {"type": "new kind of event", "webhookEventId": "\x00", "mode": 3},
    ]
    body = json.dumps({"destination": BOT_USER_ID, "events": [*odd, good]}).encode()
    assert await post(web_client, body, shop.channel_secret) == 200
    ids = [row.event_id for row in await kept(db)]
    assert "01GOOD" in ids
    assert len(ids) == 6


async def test_more_events_than_one_insert_holds_are_all_kept(
    web_client, db, shop, clock
):
    now = clock.now()
    small = {"type": "message", "timestamp": int(now.timestamp() * 1000)}
    events = [small | {"webhookEventId": f"e{n}"} for n in range(4000)]
    body = envelope(BOT_USER_ID, events)
    assert await post(web_client, body, shop.channel_secret) == 200
    assert len(await kept(db)) == 4000


async def test_what_line_asks_to_keep_of_a_webhook_is_logged(web_client, shop):
    with capture_logs() as logs:
        await post(web_client, envelope(BOT_USER_ID, []), shop.channel_secret)
        await post(web_client, envelope("Uother", []), shop.channel_secret)
    first, warning, _ = [e for e in logs if e["event"].startswith("line_webhook")]
    assert first["ip"] == "127.0.0.1"
    assert (first["method"], first["path"]) == ("POST", "/line/aozora")
    assert first["status"] == 200
    assert warning["event"] == "line_webhook_destination"
    assert warning["destination"] == "Uother"
    assert shop.channel_secret not in str(logs)


async def test_when_nothing_can_be_stored_line_hears_500_and_delivers_again(
    web_client, db, shop, clock, settings
):
    def drop(tx: Tx) -> None:
        inbox.drop(tx._connection)

    await db.write(drop)
    body = envelope(BOT_USER_ID, [text_event(MIKA, "カード", clock.now(), "01E")])
    assert await post(web_client, body, shop.channel_secret) == 500


async def test_every_event_of_line_s_own_sdk_is_taken_and_dealt_with(
    settings, db, shop, clock, vault, links, pytestconfig
):
    cache = pytestconfig.cache.mkdir("line-bot-sdk")
    events = official_events(cache)
    assert len(events) >= 28
    house = LineHouse(settings, db, shop, clock, vault, links)
    await house.start()
    try:
        house.run()
        url = str(house.server.make_url("/line/aozora"))
        # As they are, all with one id, in one batch; then each as an event of its own.
        once = [event | {"webhookEventId": f"n{n}"} for n, event in enumerate(events)]
        async with aiohttp.ClientSession() as session:
            for some in (events, once):
                body = envelope(BOT_USER_ID, some)
                headers = {"x-line-signature": signature(shop.channel_secret, body)}
                async with session.post(url, data=body, headers=headers) as answer:
                    assert answer.status == 200
        await house.settled()
        notes = await house.notes()
        assert len(notes) == len(events) + 1
        assert not [note for note in notes if note.startswith("failed")]
    finally:
        await house.stop()
