"""The service starts whole, keeps its workers going, and stops in good order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

import aiohttp
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from core.actions.passes import hold_pass
from core.config import load_settings
from core.errors import NotConnected, SettingsError
from core.rules.types import IssuerName, PassId
from core.store.job_runs import last_runs
from jobs.in_use import InUse
from jobs.serve import running
from jobs.supervise import Supervisor
from passes.issuer import NullIssuer
from passes.sync import refresh
from tests.jobs.stamping import a_stamp


@pytest.fixture
def database_kind():
    return "sqlite"


async def status(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status


async def test_it_answers_while_it_runs_and_not_after(settings, clock):
    async with running(settings, clock=clock, port=0) as service:
        assert await status(f"{service.url}/healthz") == 200
        assert await status(f"{service.url}/readyz") == 200
    with pytest.raises(aiohttp.ClientConnectionError):
        await status(f"{service.url}/healthz")


async def test_an_empty_folder_is_enough(tmp_path, clock):
    settings = load_settings(data_dir=tmp_path / "fresh")
    async with running(settings, clock=clock, port=0) as service:
        assert await status(f"{service.url}/readyz") == 200


async def test_the_web_role_alone_starts_no_jobs(settings, clock):
    async with running(settings, role="web", clock=clock, port=0) as service:
        assert await status(f"{service.url}/readyz") == 200
        assert await service.runner.start_due() != []
        await service.runner.finish()


async def test_a_worker_alone_listens_nowhere_and_makes_the_missed_backup(
    settings, clock
):
    async with running(settings, role="worker", clock=clock) as service:
        assert service.url == ""
        async with asyncio.timeout(20):
            while True:
                runs = {r.name: r.state for r in await service.db.read(last_runs)}
                if runs.get("backup") == "done":
                    break
                await service.db.wait({"never"}, 0.05)
    assert list(settings.backups.glob("stampcard-*.db.gz"))


async def test_a_second_process_waits_and_is_refused_on_an_old_sqlite(
    settings, clock, monkeypatch
):
    monkeypatch.setattr("jobs.in_use.SAFE_SQLITE", (99, 0, 0))
    monkeypatch.setattr("jobs.in_use.PATIENCE", 0.2)
    async with running(settings, clock=clock, port=0):
        with pytest.raises(InUse, match="another service process"):
            async with running(settings, clock=clock, port=0):
                pass


async def test_two_processes_may_share_a_sqlite_that_is_safe(
    settings, clock, monkeypatch
):
    monkeypatch.setattr("jobs.in_use.SAFE_SQLITE", (3, 0, 0))
    async with (
        running(settings, clock=clock, port=0) as one,
        running(settings, clock=clock, port=0) as other,
    ):
        assert await status(f"{one.url}/readyz") == 200
        assert await status(f"{other.url}/readyz") == 200


async def test_a_port_that_is_taken_is_told_and_leaves_nothing_behind(
    settings, clock, monkeypatch
):
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    before = asyncio.all_tasks()
    with pytest.raises(OSError, match="address already in use"):
        async with running(settings, clock=clock, port=port):
            pass
    assert asyncio.all_tasks() == before
    server.close()
    await server.wait_closed()


async def test_a_server_that_is_behind_is_refused(tmp_path, clock, postgres, db_at):
    url = postgres.fresh()
    await db_at(url, "0000")
    settings = load_settings(data_dir=tmp_path / "fresh", database_url=url)
    with pytest.raises(SettingsError, match="stampcard migrate"):
        async with running(settings, clock=clock, port=0):
            pass
    postgres.drop(url)


@pytest.fixture
def db_at():
    async def change(url: str, revision: str) -> None:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE alembic_version SET version_num = :it"), {"it": revision}
            )
        await engine.dispose()

    return change


async def test_sigterm_ends_the_process_cleanly_within_ten_seconds(tmp_path):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from jobs.cli import main; main()",
        "serve",
        "--port",
        "0",
        env={**os.environ, "STAMPCARD_DATA_DIR": str(tmp_path / "var")},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(30):
            started = {}
            while started.get("event") != "service_started":
                line = await process.stderr.readline()
                assert line, "it ended before it had started"
                started = json.loads(line)
        assert await status(f"{started['url']}/readyz") == 200
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            rest = await process.stderr.read()
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    # Every line of the log is JSON, the last ones too.
    assert [json.loads(line) for line in rest.splitlines()]


async def test_a_worker_that_crashes_is_started_again():
    tries, well, told = [], asyncio.Event(), asyncio.Event()

    async def run() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ZeroDivisionError
        well.set()
        await told.wait()

    supervisor = Supervisor(back_off=(0.0,))
    supervisor.add("test", run, told.set)
    async with asyncio.timeout(5):
        await well.wait()
        await supervisor.stop(5)
    assert len(tries) == 3


async def test_a_worker_that_will_not_end_is_cut_off():
    cut = []

    async def run() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cut.append(1)
            raise

    supervisor = Supervisor()
    supervisor.add("test", run, lambda: None)
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await supervisor.stop(0.05)
    assert cut == [1]


class Recorder(NullIssuer):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []
        self.is_connected = True

    async def refresh(self, held, face, now, *, at_leisure=False):
        self._note("refresh", face)

    async def void(self, held, face, now, *, at_leisure=False):
        self._note("void", face)

    def _note(self, what, face):
        if not self.is_connected:
            raise NotConnected("nobody is there")
        self.told.append((what, face.balance))


async def test_a_pass_is_refreshed_while_it_lives_and_voided_when_it_stops(shop, clock):
    card_id = await a_stamp(shop, 1, clock.now())
    held = await shop.db.write(
        hold_pass, shop.merchant.id, card_id, "apple", clock.now()
    )
    apple, google = Recorder(), Recorder()
    issuers: dict[IssuerName, Recorder] = {"apple": apple, "google": google}

    await refresh(shop.db, issuers, held.id, clock.now())
    await shop.db.write(
        lambda tx: tx.execute(text("UPDATE card SET state = 'stopped'"))
    )
    await refresh(shop.db, issuers, held.id, clock.now())
    await refresh(shop.db, issuers, PassId("unknown"), clock.now())

    assert apple.told == [("refresh", 1), ("void", 1)]
    assert google.told == []

    # A wallet that was disconnected is no failure: there is nobody to tell.
    apple.is_connected = False
    await refresh(shop.db, issuers, held.id, clock.now())
    assert len(apple.told) == 2
