"""Features 8 and 10: what the shop owes, friends who bring friends, birthdays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.actions.join import know_person
from core.rules.types import Gift, Limit
from jobs import birthdays
from jobs.parts import Parts
from tests.builders import coffee
from tests.stories.at_line import follow, said, scan, shop_on_line
from tests.webhooks.rooms import Staff, serve_rooms

CARD = coffee(limit=Limit(), referral=1, birthday=Gift(name="お誕生日ケーキ"))


@pytest.fixture
async def house(settings, db, vault, clock, links):
    given = {"settings": settings, "db": db, "vault": vault}
    async with shop_on_line(
        [("coffee", CARD)], **given, clock=clock, links=links
    ) as found:
        yield found


async def test_a_missing_stamp_is_claimed_in_the_chat_and_given_by_one_tap(
    house, settings, clock
):
    mika = house.friend()
    await follow(house, mika)
    old = await house.shop.till_code(clock.now())
    clock.move(seconds=95)
    assert "有効時間" in said(await house.ask(mika, f"STAMP {old.code}"))

    kept = said(await house.ask(mika, "スタンプが付いていない"))
    # The claim carries what went wrong: nobody has to tell it again.
    assert "お申し出を受け付けました(コーヒーカード)" in kept
    assert "コードの時間切れ" in kept

    async with serve_rooms(house.db, settings, clock) as client:
        manager = Staff(client)
        await manager.sign_in("manager@aozora.jp")
        page = await manager.get("/till/claims")
        assert "美香さん" in page
        assert f"<small>{old.code}" in page
        [path] = {
            part.split('"')[0]
            for part in page.split('action="')[1:]
            if part.split('"')[0].endswith("/approve")
        }
        assert "付与しました ＋1" in await manager.post(path, {"n": "1"})

    assert "10個中1個" in (await house.ask(mika, "カード"))["altText"]
    await house.ask(mika, "履歴")
    told = "\n".join(said(item.message) for item in house.answers(mika)[-2:])
    assert "お店がスタンプを付けました" in told


async def test_a_friend_who_comes_by_a_code_brings_both_a_stamp(house):
    mika, taro = house.friend(), house.friend("太郎")
    await follow(house, mika)
    await house.ask(mika, "友だち紹介")
    known = await house.db.read(know_person, house.shop.merchant.id, mika)

    assert "受け付けました" in said(
        await house.ask(taro, f"紹介 {known.referral_code}")
    )
    # Nothing yet: the friend has to come to the shop first.
    assert await house.stamps() == 0
    await scan(house, taro)

    for person, balance in ((mika, 1), (taro, 2)):
        card = await house.ask(person, "カード")
        assert f"10個中{balance}個" in card["altText"]
    # The friend's second visit brings nothing more.
    await scan(house, taro)
    assert "10個中1個" in (await house.ask(mika, "カード"))["altText"]


async def test_a_birthday_brings_its_gift_and_one_told_too_late_waits_a_year(
    house, settings, vault, clock
):
    mika, taro = house.friend(), house.friend("太郎")
    for person in (mika, taro):
        await follow(house, person)
    # It is November 23: 花 has a month left, 太郎 has ten days.
    await house.ask(mika, "誕生日 12月24日")
    assert "2027" in said(await house.ask(taro, "誕生日 12月3日"))

    parts = Parts(settings=settings, db=house.db, vault=vault)
    given = []
    for month, day in ((12, 3), (12, 24)):
        clock.at = datetime(2026, month, day, 1, tzinfo=UTC)
        given.append((await birthdays.run(parts, clock.now()))["gifts"])

    assert given == [0, 1]
    assert "お誕生日ケーキ" in said(await house.ask(mika, "特典"))
    assert "お誕生日ケーキ" not in said(await house.ask(taro, "特典"))
