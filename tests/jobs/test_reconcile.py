"""Each night Google is asked who holds what, and certificates are counted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from core.actions.apply import apply_channel
from core.actions.channels import GOOGLE_ACCOUNT
from core.store.tables import outbox
from jobs import reconcile
from jobs.parts import Parts
from jobs.schedule import find_job
from tests.builders import build_shop
from tests.jobs.google_world import service_account
from tests.passes.apple_chain import connect_apple, signer
from tests.passes.google_cards import ISSUER


@pytest.fixture
def parts(settings, db, vault):
    return Parts(settings=settings, db=db, vault=vault)


async def with_google(db, vault, shop, clock):
    merchant_id, (text, _) = shop.merchant.id, service_account()
    values = {
        "issuer_id": ISSUER,
        "sealed_service_account": vault.seal(text, merchant_id, GOOGLE_ACCOUNT),
    }
    await db.write(apply_channel, merchant_id, "google", values, clock.now())


async def topics(db):
    rows = await db.read(lambda tx: tx.execute(select(outbox.c.topic)).all())
    return {row.topic for row in rows}


async def test_only_programs_whose_merchant_has_google_are_asked_for(
    db, vault, clock, shop, parts
):
    await build_shop(db, vault, clock.now(), key="other", api_key="sk_other_1")
    await with_google(db, vault, shop, clock)

    for _ in range(2):
        assert await reconcile.run(parts, clock.now()) == {"programs": 1, "red": []}

    program_id = shop.program.id
    # Connecting Google also had it told of the look.
    assert await topics(db) == {f"saved:{program_id}", f"class:{program_id}"}


@pytest.mark.parametrize("days", [30, 3, 0])
async def test_a_certificate_with_few_days_left_is_told_daily(
    db, vault, clock, shop, parts, days
):
    await connect_apple(shop, vault, clock.now())
    ends_at = signer().ends_at
    found = await reconcile.run(parts, ends_at - timedelta(days=days, hours=1))

    [line] = found["red"]
    assert line.startswith("apple aozora")


def test_the_night_has_it_in_its_table():
    job = find_job("reconcile")
    assert job is not None
    assert job.run is reconcile.run
