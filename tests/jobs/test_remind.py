"""Each merchant's customers are reminded by day, once, and in small steps."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from core.actions.birthday import tell_birthday
from core.store.merchants import put_merchant
from jobs import birthdays, remind
from jobs.parts import Parts
from jobs.runner import Runner
from jobs.schedule import JOBS, find_job, last_due
from tests.actions.notice_house import DESIGN, NoticeHouse
from tests.builders import build_shop, coffee


@pytest.fixture
def parts(settings, db, vault):
    return Parts(settings=settings, db=db, vault=vault)


async def open_shop(parts, clock, key="aozora", timezone="Asia/Tokyo", **design):
    shop = await build_shop(
        parts.db,
        parts.vault,
        clock.now(),
        key=key,
        design=coffee(**(DESIGN | design)),
        api_key=f"sk_of_{key}",
    )
    values = {"key": key, "timezone": timezone}
    await parts.db.write(put_merchant, values, clock.now())
    return NoticeHouse(parts.db, shop, clock, parts.settings, parts.vault)


def at(clock, *when, zone="Asia/Tokyo"):
    clock.at = datetime(*when, tzinfo=ZoneInfo(zone)).astimezone(UTC)


async def owners(house):
    return {row.merchant_id for row in await house.rows()}


async def test_each_zone_has_its_own_morning(parts, clock):
    days = {"remind_days": (3,)}
    tokyo = await open_shop(parts, clock, "tokyo", **days)
    york = await open_shop(parts, clock, "york", "America/New_York", **days)
    for house in (tokyo, york):
        await house.guest()
    # The stamp's hour in Tokyo, of the 23rd, is the 22nd's business day in New York.
    at(clock, 2026, 12, 19, 9, 20, zone="America/New_York")
    await remind.run(parts, clock.now())
    assert await owners(tokyo) == set()
    at(clock, 2026, 12, 19, 10, 20, zone="America/New_York")
    await remind.run(parts, clock.now())
    assert await owners(tokyo) == {york.merchant_id}
    at(clock, 2026, 12, 20, 9, 20)
    await remind.run(parts, clock.now())
    assert await owners(tokyo) == {york.merchant_id}
    at(clock, 2026, 12, 20, 10, 20)
    await remind.run(parts, clock.now())
    assert await owners(tokyo) == {tokyo.merchant_id, york.merchant_id}


async def test_more_than_a_page_in_one_run_and_none_twice(parts, clock, monkeypatch):
    monkeypatch.setattr("jobs.remind.PAGE", 3)
    monkeypatch.setattr("jobs.remind.BATCH", 2)
    house = await open_shop(parts, clock)
    await house.allow()
    for number in range(1, 9):
        await house.guest(number, stamps=10 if number == 8 else 7)
    house.at(12, 20)
    assert await house.run() == {"made": 8, "push": 8}
    assert await house.run() == {}
    kinds = [row.kind for row in await house.rows()]
    assert sorted(kinds) == ["expiry"] * 7 + ["voucher"]


async def test_one_merchants_trouble_does_not_keep_the_others_from_theirs(parts, clock):
    broken = await open_shop(parts, clock, "aaa")
    fine = await open_shop(parts, clock, "zzz")
    for house in (broken, fine):
        await house.guest()
    values = {"key": "aaa", "timezone": "Nowhere/Land"}
    await parts.db.write(put_merchant, values, clock.now())
    fine.at(12, 20)
    result = await remind.run(parts, clock.now())
    assert result["red"] == ["the reminders of aaa could not be made"]
    assert await owners(fine) == {fine.merchant_id}


async def test_a_birthday_gift_of_the_morning_goes_out_once_it_is_not_quiet(
    parts, clock
):
    house = await open_shop(parts, clock)
    await house.allow()
    await house.guest(stamps=0)
    await parts.db.write(
        tell_birthday,
        merchant_id=house.merchant_id,
        customer_id=await house.customer_id(),
        month=12,
        day=24,
        now=clock.now(),
    )
    house.at(12, 24, 7, 15)
    await birthdays.run(parts, clock.now())
    house.at(12, 24, 8, 20)
    assert await house.run() == {}
    house.at(12, 24, 9, 20)
    assert await house.run() == {"push": 1}
    assert [row.kind for row in await house.rows()] == ["birthday"]


async def test_the_reward_ends_and_so_does_its_reminder(parts, clock):
    house = await open_shop(parts, clock)
    await house.guest(stamps=10)
    house.at(12, 23)
    await house.run()
    house.at(12, 24, 6)
    assert await house.run() == {"dropped": 1}


async def test_it_runs_each_hour_once_among_processes_and_after_downtime(parts, clock):
    job = find_job("remind")
    assert job is not None
    assert job.run is remind.run
    now = datetime(2026, 12, 24, 22, 30, tzinfo=UTC)
    assert last_due(job, now) == datetime(2026, 12, 24, 22, 20, tzinfo=UTC)

    house = await open_shop(parts, clock)
    await house.guest()
    # The service was off from the 1st to the 22nd.
    house.at(12, 22, 15, 30)
    runners = [Runner(parts, clock, (job,)) for _ in range(2)]
    started = [await runner.start_due() for runner in runners]
    for runner in runners:
        await runner.finish()
    assert started == [["remind"], []]
    [row] = await house.rows()
    assert row.detail["days"] == 3
    assert job in JOBS
