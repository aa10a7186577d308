"""Each merchant's customers get their gifts in the morning of their zone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.birthday import days_to_celebrate, tell_birthday
from core.actions.join import follow, know_person
from core.rules.types import Gift
from core.store.cards import lock_card, update_card
from core.store.merchants import put_merchant
from jobs import birthdays
from jobs.parts import Parts
from jobs.schedule import find_job, last_due
from tests.actions.people import People
from tests.builders import build_shop, coffee, person

CAKE = Gift(name="ケーキ")


class House:
    """Merchants in their zones, and the job that runs for all of them."""

    def __init__(self, parts, vault, clock):
        self.parts, self.vault, self.clock = parts, vault, clock
        self.db = parts.db

    async def merchant(self, key="aozora", timezone="Asia/Tokyo", starts=5, **design):
        shop = await build_shop(
            self.db,
            self.vault,
            self.clock.now(),
            key=key,
            design=coffee(**({"birthday": CAKE} | design)),
            api_key=f"sk_of_{key}",
        )
        values = {"key": key, "timezone": timezone, "day_starts_at": starts}
        await self.db.write(put_merchant, values, self.clock.now())
        return People(self.db, shop, self.clock)

    async def guest(self, people, number=1, month=12, day=24):
        """A customer with a birthday; their card."""
        card_id = await people.join(number)
        await self.db.write(
            tell_birthday,
            merchant_id=people.merchant_id,
            customer_id=await people.customer_id(number),
            month=month,
            day=day,
            now=self.clock.now(),
        )
        return card_id

    async def run(self, *at, zone="Asia/Tokyo"):
        self.clock.at = datetime(*at, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        return await birthdays.run(self.parts, self.clock.now())

    async def days(self, people):
        return await self.db.read(
            days_to_celebrate, people.merchant_id, self.clock.now()
        )


@pytest.fixture
def house(settings, db, vault, clock):
    return House(Parts(settings=settings, db=db, vault=vault), vault, clock)


def gifts(n):
    return {"gifts": n, "red": []}


async def test_the_gift_is_there_in_the_morning_and_not_in_the_night(house):
    people = await house.merchant()
    card_id = await house.guest(people)

    assert await house.run(2026, 12, 24, 4, 59) == gifts(0)
    assert await house.run(2026, 12, 24, 6, 59) == gifts(0)
    assert await house.run(2026, 12, 24, 7, 0) == gifts(1)
    assert await people.vouchers(card_id) == ["ケーキ"]
    assert await house.run(2026, 12, 24, 8, 0) == gifts(0)
    assert await house.run(2026, 12, 25, 8, 0) == gifts(0)


async def test_a_business_day_that_begins_late_has_its_morning_then(house):
    people = await house.merchant(starts=9)
    await house.guest(people)

    assert await house.run(2026, 12, 24, 8, 59) == gifts(0)
    assert await house.run(2026, 12, 24, 9, 0) == gifts(1)


async def test_each_merchant_has_the_morning_of_its_zone(house):
    tokyo = await house.guest(t := await house.merchant("tokyo"))
    york = await house.guest(y := await house.merchant("york", "America/New_York"))

    assert await house.run(2026, 12, 24, 7, 15) == gifts(1)
    assert (await t.vouchers(tokyo), await y.vouchers(york)) == (["ケーキ"], [])
    assert await house.run(2026, 12, 24, 6, 15, zone="America/New_York") == gifts(0)
    assert await house.run(2026, 12, 24, 7, 15, zone="America/New_York") == gifts(1)
    assert await y.vouchers(york) == ["ケーキ"]


async def test_a_day_that_the_service_was_down_is_made_up_for_within_a_week(house):
    people = await house.merchant()
    cards = [await house.guest(people, n, 12, 23 + n) for n in (1, 2, 3)]

    # Off from the 24th until the 1st: seven days are the 25th to the 31st.
    assert await house.run(2027, 1, 1, 10, 15) == gifts(2)

    assert [await people.vouchers(card_id) for card_id in cards] == [
        [],
        ["ケーキ"],
        ["ケーキ"],
    ]
    assert await house.run(2027, 1, 1, 11, 15) == gifts(0)
    # The year of the birthday counts, not that of the gift: the next one comes.
    assert await house.run(2027, 12, 26, 10, 15) == gifts(3)


async def test_a_day_that_is_done_is_not_looked_at_again(house):
    people = await house.merchant()
    await house.run(2026, 12, 24, 7, 15)
    assert await house.days(people) == [date(2026, 12, 24)]

    await house.run(2026, 12, 25, 7, 15)

    assert await house.days(people) == [date(2026, 12, 25)]


async def test_a_gift_that_is_published_later_is_not_for_days_gone_by(house):
    people = await house.merchant(birthday=None)
    card_id = await house.guest(people)
    assert await house.run(2026, 12, 24, 7, 15) == gifts(0)
    assert await house.run(2026, 12, 25, 7, 15) == gifts(0)

    await people.publish(coffee(birthday=CAKE))

    assert await house.run(2026, 12, 25, 8, 15) == gifts(0)
    assert await people.vouchers(card_id) == []
    assert await house.run(2027, 12, 24, 7, 15) == gifts(1)


async def test_who_joins_on_their_birthday_gets_the_gift_of_the_new_card(house):
    people = await house.merchant(birthday=None)
    await house.guest(people)
    assert await house.run(2026, 12, 24, 7, 15) == gifts(0)
    tea = coffee(name="紅茶カード", birthday=CAKE)
    file = MerchantFile(merchant={"key": "aozora"}, programs=(("tea", tea),))
    await house.db.write(apply_merchant, file, {}, house.clock.now())
    _, tea_id = await people.join_all()

    assert await house.run(2026, 12, 24, 12, 15) == gifts(1)
    assert await people.vouchers(tea_id) == ["ケーキ"]


async def test_also_in_its_last_hour(house):
    people = await house.merchant()
    await house.guest(people)
    late = await house.guest(people, 2)
    await people.db.write(
        lambda tx: update_card(
            tx, lock_card(tx, people.merchant_id, late), state="stopped"
        )
    )
    assert await house.run(2026, 12, 24, 7, 15) == gifts(1)
    assert await house.run(2026, 12, 25, 4, 15) == gifts(0)
    await people.db.write(
        lambda tx: update_card(
            tx, lock_card(tx, people.merchant_id, late), state="active"
        )
    )

    # The new business day has begun; what is left of the old one is done first.
    assert await house.run(2026, 12, 25, 5, 15) == gifts(1)
    assert await people.vouchers(late) == ["ケーキ"]


async def test_more_than_one_batch_in_one_run(house, monkeypatch):
    monkeypatch.setattr("jobs.birthdays.BATCH", 3)
    people = await house.merchant()
    cards = [await house.guest(people, number) for number in range(1, 11)]

    assert await house.run(2026, 12, 24, 7, 15) == gifts(10)
    assert [await people.vouchers(c) for c in cards] == [["ケーキ"]] * 10


async def test_one_merchants_trouble_does_not_keep_the_gifts_of_others(house):
    broken = await house.merchant("aaa")
    fine = await house.merchant("zzz")
    lost, card_id = await house.guest(broken), await house.guest(fine)
    values = {"key": "aaa", "timezone": "Nowhere/Land"}
    await house.db.write(put_merchant, values, house.clock.now())

    result = await house.run(2026, 12, 24, 7, 15)

    assert result["gifts"] == 1
    assert result["red"] == ["the birthday gifts of aaa could not be given"]
    assert await fine.vouchers(card_id) == ["ケーキ"]
    # Mended a day later, its customers have their gifts too.
    await house.db.write(
        put_merchant, values | {"timezone": "Asia/Tokyo"}, house.clock.now()
    )
    assert await house.run(2026, 12, 25, 7, 15) == gifts(1)
    assert await broken.vouchers(lost) == ["ケーキ"]


async def test_the_job_is_due_every_hour():
    job = find_job("birthdays")
    assert job is not None
    now = datetime(2026, 12, 24, 22, 20, tzinfo=UTC)

    assert last_due(job, now) == datetime(2026, 12, 24, 22, 15, tzinfo=UTC)
    assert job.run is birthdays.run


async def test_without_anybody_there_is_nothing_to_do(house):
    people = await house.merchant()
    now = house.clock.now()
    await house.db.write(follow, people.merchant_id, person(), "k", now)
    assert await house.db.read(know_person, people.merchant_id, person().user_id)

    assert await house.run(2026, 12, 24, 7, 15) == gifts(0)
