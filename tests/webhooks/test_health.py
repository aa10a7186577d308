"""Alive, able to stamp, and figures, over real HTTP."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from tests.webhooks.rooms import serve_rooms

TOKEN = {"Authorization": "Bearer figures"}


@pytest.fixture
async def client(db, settings, clock, shop):
    settings = settings.model_copy(update={"metrics_token": SecretStr("figures")})
    async with serve_rooms(db, settings, clock) as found:
        yield found


async def test_a_service_that_can_stamp_is_ready(client):
    for path, words in (("/healthz", "alive\n"), ("/readyz", "ready\n")):
        answer = await client.get(path)
        assert (answer.status, await answer.text()) == (200, words)
        assert answer.headers["Cache-Control"] == "no-store"


async def test_tables_of_another_version_are_not_ready_but_alive(client, db):
    await db.write(
        lambda tx: tx.execute(text("UPDATE alembic_version SET version_num = 'old'"))
    )
    assert (await client.get("/readyz")).status == 503
    assert (await client.get("/healthz")).status == 200


async def test_a_database_that_cannot_be_written_is_not_ready(client, db):
    await db.write(lambda tx: tx.execute(text("DROP TABLE answered")))
    assert (await client.get("/readyz")).status == 503


async def test_many_probes_at_once_write_once(client, db, monkeypatch):
    writes = []
    write = db.write

    async def counted(*args, **kwargs):
        writes.append(args)
        return await write(*args, **kwargs)

    monkeypatch.setattr(db, "write", counted)
    for _ in range(20):
        assert (await client.get("/readyz")).status == 200
    # One a second: a slow machine may take two for twenty answers.
    assert 1 <= len(writes) < 10


async def test_figures_are_closed_without_a_token_of_ours(db, settings, clock):
    async with serve_rooms(db, settings, clock) as client:
        assert (await client.get("/metrics", headers=TOKEN)).status == 404


@pytest.mark.parametrize("value", ["", "Bearer wrong", "figures", "Bearer ｆ"])
async def test_figures_need_the_token(client, value):
    headers = {"Authorization": value} if value else {}
    assert (await client.get("/metrics", headers=headers)).status == 401


async def test_stamps_requests_and_queues_are_counted(client, shop):
    api = {"Authorization": f"Bearer {shop.api_key}"}
    card = await (
        await client.post("/api/v1/cards", json={"program": "coffee"}, headers=api)
    ).json()
    for _ in range(2):
        await client.post(
            f"/api/v1/cards/{card['id']}/stamps", json={"n": 1}, headers=api
        )
    await client.post("/line/aozora", data=b"{}")
    await client.get("/nowhere/at/all")

    answer = await client.get("/metrics", headers=TOKEN)
    found = await answer.text()
    assert answer.content_type == "text/plain"
    for line in (
        'stampcard_stamps_total{how="api",outcome="granted"} 1.0',
        'stampcard_stamps_total{how="api",outcome="already_today"} 1.0',
        'stampcard_webhook_requests_total{platform="line",status="401"} 1.0',
        'route="/api/v1/cards/{id}/stamps",status="2xx"} 2.0',
        'stampcard_request_seconds_count{method="GET",route="none",status="4xx"} 1.0',
        "stampcard_outbox_behind 0.0",
        "stampcard_inbox_waiting 0.0",
    ):
        assert line in found
    # Paths that people type make no new series.
    assert "nowhere" not in found
    assert card["id"] not in found
