"""The core against a plain second telling of its rules, in long random stories.

Each story is one transaction that is rolled back in the end: thousands of steps a
second on SQLite, and a shorter run on PostgreSQL.
"""

from __future__ import annotations

import asyncio
import shutil

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    run_state_machine_as_test,
)
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from core.database import Tx
from core.sqlite import writing_engine
from tests.actions.core_story import Story


class OnFile:
    """One open transaction on a SQLite file."""

    def __init__(self, engine):
        self.connection = engine.connect()
        self.outer = self.connection.begin()

    def run(self, fn, /, *args, undo=False, **more):
        return in_savepoint(self.connection, fn, args, more, undo=undo)

    def close(self):
        self.outer.rollback()
        self.connection.close()


class OnServer:
    """One open transaction on PostgreSQL, from a loop of its own."""

    def __init__(self, url):
        self.runner = asyncio.Runner()
        self.engine = create_async_engine(url, poolclass=NullPool)
        self.connection = self.runner.run(self._open())

    async def _open(self):
        connection = await self.engine.connect()
        await connection.begin()
        return connection

    def run(self, fn, /, *args, undo=False, **more):
        return self.runner.run(
            self.connection.run_sync(
                lambda c: in_savepoint(c, fn, args, more, undo=undo)
            )
        )

    def close(self):
        async def end():
            await self.connection.rollback()
            await self.connection.close()
            await self.engine.dispose()

        self.runner.run(end())
        self.runner.close()


def in_savepoint(connection, fn, args, more, *, undo):
    with connection.begin_nested() as savepoint:
        answer = fn(Tx(connection), *args, **more)
        if undo:
            savepoint.rollback()
    return answer


def tell_stories(connect, *, stories, steps, derandomize=True):
    machine = type("Story", (Story,), {"connect": staticmethod(connect)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=stories,
            stateful_step_count=steps,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            database=None,
            derandomize=derandomize,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_stories_on_sqlite_come_out_as_told(sqlite_template, tmp_path):
    file = shutil.copy(sqlite_template, tmp_path / "stories.db")
    engine = writing_engine(str(file))
    tell_stories(lambda: OnFile(engine), stories=120, steps=50)
    engine.dispose()


def test_stories_on_postgresql_come_out_as_told(postgres):
    url = postgres.fresh()
    tell_stories(lambda: OnServer(url), stories=30, steps=40)
    postgres.drop(url)
