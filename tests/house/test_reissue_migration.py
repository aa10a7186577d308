"""Passes that were made before cards could be re-issued are good ones afterwards."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from alembic import command

from core.config import load_settings
from core.sqlite import writing_engine
from core.store.migrate import _config, migrate

CARD = """
INSERT INTO customer (merchant_id, id, member_no, language, created_at)
VALUES ('m', 'u', '1', 'ja', '2026-11-24');
INSERT INTO card (merchant_id, id, program_id, customer_id, version, state, balance,
    cycle, total, revision, n_entries, code, issued_at)
VALUES ('m', 'c', 'p', 'u', 1, 'active', 0, 0, 0, 1, 0, 'CODE', '2026-11-24');
"""
PASS = """
INSERT INTO held_pass
    (merchant_id, id, card_id, issuer, changed_at, installed, created_at)
VALUES ('m', '{}', 'c', 'apple', 7, 1, '2026-11-24')
"""


def test_a_pass_of_before_is_kept_and_stays_the_only_good_one(tmp_path):
    settings = load_settings(data_dir=tmp_path)
    engine = writing_engine(str(settings.sqlite_file))
    with engine.connect() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        connection.commit()
    engine.dispose()
    with closing(sqlite3.connect(settings.sqlite_file)) as file:
        file.executescript(CARD)
        file.execute(PASS.format("p"))
        file.commit()

    migrate(settings)

    with closing(sqlite3.connect(settings.sqlite_file)) as file:
        kept = file.execute("SELECT id, installed, replaced_at FROM held_pass")
        assert kept.fetchall() == [("p", 1, None)]
        with pytest.raises(sqlite3.IntegrityError):
            file.execute(PASS.format("q"))
        file.execute("UPDATE held_pass SET replaced_at = '2026-11-25'")
        file.execute(PASS.format("q"))
