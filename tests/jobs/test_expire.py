"""The job of each hour that writes down what has ended."""

from __future__ import annotations

from datetime import UTC, datetime

from core.actions.cards import load_card
from core.actions.grant import grant_stamps
from core.actions.join import follow
from core.rules.asking import StampAsk
from core.rules.types import Expiry, Limit
from jobs import expire
from jobs.audit import wrong_cards
from jobs.parts import Parts
from jobs.runner import Runner
from jobs.schedule import find_job, last_due, next_due
from tests.builders import build_shop, coffee, person


async def test_all_that_has_ended_is_ended_in_one_run(
    db, vault, settings, clock, monkeypatch
):
    monkeypatch.setattr(expire, "BATCH", 2)
    expires = Expiry(kind="after_last", months=1)
    shop = await build_shop(
        db, vault, clock.now(), design=coffee(limit=Limit(), expires=expires)
    )
    cards = []
    for number in range(5):
        cards += await db.write(
            follow, shop.merchant.id, person(number), f"f{number}", clock.now()
        )
        ask = StampAsk(
            merchant_id=shop.merchant.id,
            key=f"k{number}",
            how="api",
            card_id=cards[-1],
            stamps=3,
        )
        await db.write(grant_stamps, ask, clock.now())
    clock.move(days=60)
    job = find_job("expire")
    assert job is not None
    runner = Runner(Parts(settings=settings, db=db, vault=vault), clock, (job,))

    await runner.start_due()
    await runner.finish()

    for card_id in cards:
        view = await db.read(load_card, shop.merchant.id, card_id, clock.now())
        assert (view.face.state, view.face.balance) == ("expired", 0)
    assert await db.read(wrong_cards) == []
    parts = Parts(settings=settings, db=db, vault=vault)
    assert await expire.run(parts, clock.now()) == {"ended": 0}


def test_it_is_due_each_hour():
    job = find_job("expire")
    assert job is not None
    now = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)

    assert last_due(job, now) == datetime(2026, 11, 23, 6, 5, tzinfo=UTC)
    assert next_due(job, now) == datetime(2026, 11, 23, 7, 5, tzinfo=UTC)
