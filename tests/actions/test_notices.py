"""What is to be told to customers: made once, told once, and never untrue."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest

from core.actions.birthday import give_gifts, tell_birthday
from core.actions.erase import erase_customer, what_we_know
from core.actions.expire import expire_due
from core.actions.join import open_card, unfollow
from core.actions.link import link_people, make_link_code
from core.actions.notices import (
    choose_news,
    drop_told_before,
    find_due,
    kinds_of_shop,
    make_reminder,
)
from core.actions.passes import load_pass
from core.actions.pushes import (
    Begun,
    Wait,
    begin_push,
    close_month,
    keep_quota,
    load_plan,
    push_refused,
    push_report,
    push_told,
    save_plan,
)
from core.actions.redeem import redeem_voucher
from core.actions.telling import take_news
from core.errors import NotFound
from core.rules.asking import Refused
from core.rules.linking import Linked
from core.rules.types import Limit, Reward, Why
from tests.actions.notice_house import DESIGN, NoticeHouse
from tests.builders import coffee, person


@pytest.fixture
async def house(db, vault, clock, settings):
    return await NoticeHouse.build(db, vault, clock, settings)


def draw(news, merchant, language):
    return [{"type": "text", "text": f"{merchant.name} {news.days_left} {language}"}]


async def begin(house, row):
    return await house.db.write(
        begin_push, house.merchant_id, row.id, draw, house.clock.now()
    )


async def plan_of(house):
    return await house.db.read(load_plan, house.merchant_id)


async def queue(house, n=1, **allow):
    """`n` friends whose reminders stand in line for a push."""
    await house.allow(**allow)
    for number in range(1, n + 1):
        await house.guest(number)
    house.at(12, 20)
    await house.run()
    return await house.rows()


# --- making them ----------------------------------------------------------------------


async def test_stamps_that_run_out_are_announced_with_the_next_answer_once(house):
    await house.guest()
    house.at(12, 9, 9, 59)
    assert await house.run() == {}
    house.at(12, 9, 10)
    assert await house.run() == {"made": 1}
    assert await house.run() == {}

    [news] = await house.hear()

    assert (news.kind, news.stamps, news.days_left) == ("expiry", 7, 14)
    assert news.card == "コーヒーカード"
    assert await house.hear(event="e2") == []
    assert await house.states() == [("expiry", "told", "reply")]
    house.at(12, 20)
    assert await house.run() == {"made": 1}
    assert [n.days_left for n in await house.hear(event="e3")] == [3]


async def test_after_a_month_without_the_service_there_is_one_reminder(house):
    await house.guest()
    house.at(12, 22, 15)
    assert await house.run() == {"made": 1}
    [news] = await house.hear()
    assert news.days_left == 1


async def test_a_stamp_in_between_makes_the_reminder_untrue_and_it_is_not_told(house):
    card_id = await house.guest()
    house.at(12, 20)
    await house.run()
    await house.stamp(card_id)

    assert await house.hear() == []
    assert await house.states() == [("expiry", "dropped", "")]
    house.at(1, 17, year=2027)
    assert await house.run() == {"made": 1}
    assert [n.stamps for n in await house.hear(event="e2")] == [8]


async def test_the_stamp_may_come_between_looking_and_writing(house):
    card_id = await house.guest()
    house.at(12, 20)
    where = (house.merchant_id, "expiry", "", 10, house.clock.now())
    [due] = (await house.db.read(find_due, *where)).due
    await house.stamp(card_id)

    now = house.clock.now()
    assert await house.db.write(make_reminder, house.merchant_id, due, now) is None
    assert await house.rows() == []


async def test_two_processes_at_once_make_one(house):
    await house.guest()
    house.at(12, 20)
    where = (house.merchant_id, "expiry", "", 10, house.clock.now())
    [due] = (await house.db.read(find_due, *where)).due
    now = house.clock.now()
    made = await asyncio.gather(
        *(house.db.write(make_reminder, house.merchant_id, due, now) for _ in range(5))
    )
    assert len([each for each in made if each]) == 1


async def test_cards_with_nothing_to_lose_are_left_in_peace(house):
    await house.guest(1, stamps=0)
    full = await house.guest(2, stamps=10)
    house.at(12, 20)
    assert await house.run() == {"made": 1}
    assert [row.kind for row in await house.rows()] == ["voucher"]
    assert (await house.card(full)).balance == 10


async def test_a_reward_that_runs_out_is_announced_and_not_once_it_is_used(house):
    card_id = await house.guest(1, stamps=10)
    voucher = (await house.view(card_id)).face.vouchers[0]
    house.at(12, 20)
    await house.run()
    [news] = await house.hear(is_told=False)
    assert (news.kind, news.name, news.days_left) == ("voucher", "コーヒー1杯", 3)

    await house.db.write(
        redeem_voucher,
        merchant_id=house.merchant_id,
        voucher_id=voucher.id,
        by=house.shop.owner,
        key="use",
        now=house.clock.now(),
    )

    assert await house.hear(event="e2") == []
    assert await house.states() == [("voucher", "dropped", "")]


async def test_what_is_over_is_told_to_nobody(house):
    await house.guest()
    house.at(12, 22)
    await house.run()
    house.at(12, 24)
    await house.db.write(expire_due, house.clock.now(), 10)
    assert await house.run() == {"dropped": 1}
    assert await house.hear() == []


async def test_a_birthday_gift_is_news_for_a_month(house):
    await house.guest()
    gift = {"merchant_id": house.merchant_id, "customer_id": await house.customer_id()}
    now = house.clock.now()
    await house.db.write(tell_birthday, **gift, month=12, day=24, now=now)
    house.at(12, 24, 7, 15)
    for _ in range(2):
        day = date(2026, 12, 24)
        await house.db.write(give_gifts, **gift, day=day, now=house.clock.now())

    [row] = [row for row in await house.rows() if row.kind == "birthday"]
    assert row.detail["name"] == "ケーキ"
    [news] = await house.hear(is_told=False)
    assert (news.kind, news.name) == ("birthday", "ケーキ")
    house.clock.move(days=31)
    assert await house.hear(event="e2") == []


async def test_a_shop_that_rests_does_not_urge_anybody(house):
    await house.guest()
    await house.publish(coffee(**(DESIGN | {"remind_days": ()})))
    house.at(12, 20)
    assert await house.run() == {}


# --- by whom and to whom --------------------------------------------------------------


async def test_what_was_taken_for_an_answer_that_failed_waits_again(house):
    await house.guest()
    house.at(12, 20)
    await house.run()
    assert len(await house.hear(is_told=False)) == 1
    assert await house.states() == [("expiry", "waiting", "")]
    assert len(await house.hear(event="e2")) == 1


async def test_the_same_event_again_carries_the_same_news_and_no_other_does(house):
    await house.guest()
    house.at(12, 20)
    await house.run()
    user_id, now = person().user_id, house.clock.now()
    take = (take_news, house.merchant_id, user_id)
    assert len(await house.db.write(*take, "e1", now)) == 1
    assert len(await house.db.write(*take, "e1", now)) == 1
    assert await house.db.write(*take, "e2", now) == []
    # Its process died and the event with it: an hour later it waits again.
    house.clock.move(hours=2)
    await house.run()
    assert len(await house.hear(event="e3")) == 1


async def test_a_kind_that_is_muted_is_neither_made_nor_told(house):
    await house.guest(1)
    await house.guest(2)
    house.at(12, 20)
    mine = (choose_news, house.merchant_id, await house.customer_id(1), "expiry")
    assert await house.db.write(*mine, wants=False, now=house.clock.now()) == (
        "expiry",
    )
    assert await house.run() == {"made": 1}
    other = (choose_news, house.merchant_id, await house.customer_id(2), "expiry")
    await house.db.write(*other, wants=False, now=house.clock.now())
    assert await house.hear(2) == []
    for _ in range(2):
        assert await house.db.write(*mine, wants=True, now=house.clock.now()) == ()
    assert await house.run() == {"made": 1}
    assert [row.action for row in await house.log("news.muted")] == ["news.muted"] * 2
    assert len(await house.log("news.wanted")) == 1


async def test_there_is_no_choice_of_other_kinds_or_for_nobody(house):
    await house.guest()
    mine = await house.customer_id()
    how = {"wants": False, "now": house.clock.now()}
    with pytest.raises(NotFound, match="kind"):
        await house.db.write(choose_news, house.merchant_id, mine, "spam", **how)
    with pytest.raises(NotFound, match="customer"):
        await house.db.write(choose_news, house.merchant_id, "X", "expiry", **how)


async def test_who_left_is_told_nothing_and_what_was_said_is_forgotten(house):
    await house.guest()
    house.at(12, 20)
    await house.run()
    customer_id = await house.customer_id()
    known = await house.db.read(what_we_know, house.merchant_id, customer_id)
    assert len(known["notice"]) == 1
    await house.db.write(
        erase_customer,
        merchant_id=house.merchant_id,
        customer_id=customer_id,
        by=None,
        reason_code="left",
        now=house.clock.now(),
    )
    [row] = await house.rows()
    assert (row.state, row.detail) == ("dropped", {})


async def test_a_shop_offers_the_choice_of_what_it_has(house):
    kinds = await house.db.read(kinds_of_shop, house.merchant_id)
    assert kinds == ("expiry", "voucher", "birthday")
    plain = coffee(limit=Limit(), rewards=(Reward(at=10, name="x"),))
    await house.publish(plain)
    assert await house.db.read(kinds_of_shop, house.merchant_id) == ()


async def test_old_ones_are_deleted_and_open_ones_are_not(house):
    await house.guest(1)
    await house.guest(2)
    house.at(12, 20)
    await house.run()
    await house.hear(1)
    later = house.clock.now() + timedelta(seconds=1)
    assert await house.db.write(drop_told_before, later, 10) == 1
    assert await house.states() == [("expiry", "waiting", "")]


# --- wallets --------------------------------------------------------------------------


async def test_an_iphones_pass_says_it_and_then_nobody_else_does(house):
    await house.allow()
    held = await house.install(await house.guest(), "apple")
    house.at(12, 20)
    assert (
        await house.db.read(load_pass, held.id, house.clock.now())
    ).face.news is None

    assert await house.run() == {"made": 1, "wallet": 1}

    assert await house.behind("pass") == [f"pass:{held.id}"]
    assert await house.behind("push") == []
    assert await house.hear() == []
    face = (await house.db.read(load_pass, held.id, house.clock.now())).face
    assert (face.news.news.stamps, face.news.news.days_left) == (7, 3)
    # It stays as it was said, whatever comes after.
    said = face.news
    house.clock.move(seconds=2)
    await house.stamp(held.card_id)
    house.clock.move(days=2)
    after = await house.db.read(load_pass, held.id, house.clock.now())
    assert said.is_new
    assert after.face.news == replace(said, is_new=False)


async def test_a_pass_does_not_ring_in_the_night(house):
    await house.install(await house.guest(), "apple")
    house.at(12, 20, 22)
    assert await house.run() == {"made": 1}
    house.at(12, 21, 9)
    assert await house.run() == {"wallet": 1}


async def test_google_cannot_ring_for_it_so_the_answer_tells_it_too(house):
    held = await house.install(await house.guest(), "google")
    house.at(12, 20)
    assert await house.run() == {"made": 1}
    assert await house.run() == {}
    face = (await house.db.read(load_pass, held.id, house.clock.now())).face
    assert face.news.news.days_left == 3
    assert len(await house.hear()) == 1


# --- pushes ---------------------------------------------------------------------------


async def test_without_permission_nothing_is_pushed(house):
    await house.guest()
    house.at(12, 20)
    assert await house.run() == {"made": 1}
    assert await house.behind("push") == []


async def test_only_an_owner_allows_it_and_it_is_written_down(house):
    how = {"is_allowed": True, "ceiling": 5, "quiet_from": 0, "quiet_to": 0}
    for role in ("manager", "clerk", "viewer"):
        by = await house.staff(role)
        found = await house.db.write(
            save_plan, house.merchant_id, **how, by=by, now=house.clock.now()
        )
        assert found == Refused(why=Why.not_allowed)
    for _ in range(2):
        await house.allow(ceiling=5)
    [row] = await house.log("push.changed")
    assert row.detail == {"is_allowed": True, "ceiling": 5}


async def test_a_push_is_begun_once_and_again_with_the_same_words(house):
    [row] = await queue(house)
    assert (row.state, await house.behind("push")) == ("queued", [f"push:{row.id}"])

    first = await begin(house, row)
    assert isinstance(first, Begun)
    assert first.line_user_id == person().user_id
    house.clock.move(hours=5)
    assert await begin(house, row) == first
    # Nobody else tells it while LINE may have it.
    assert await house.hear() == []

    await house.db.write(push_told, house.merchant_id, row.id, house.clock.now())
    assert await house.states() == [("expiry", "told", "push")]
    assert await begin(house, row) is None
    assert (await house.rows())[0].detail.keys() == {"stamps", "ends", "days"}


async def test_an_answer_that_comes_first_saves_the_push(house):
    [row] = await queue(house)
    assert len(await house.hear()) == 1
    assert await begin(house, row) is None
    assert await house.states() == [("expiry", "told", "reply")]


async def test_a_crowd_never_gets_more_than_the_ceiling(house):
    rows = await queue(house, 6)
    await house.allow(ceiling=2)
    begun = await asyncio.gather(*(begin(house, row) for row in rows))
    assert len([each for each in begun if each]) == 2
    states = [row.state for row in await house.rows()]
    assert sorted(states) == ["sending"] * 2 + ["waiting"] * 4


async def test_a_crowd_never_gets_more_than_lines_quota(house):
    rows = await queue(house, 6)
    now = house.clock.now()
    await house.db.write(keep_quota, house.merchant_id, quota=200, used=197, now=now)
    begun = await asyncio.gather(*(begin(house, row) for row in rows))
    assert len([each for each in begun if each]) == 3
    # Those told since LINE was asked are counted as well.
    for row in await house.rows():
        await house.db.write(push_told, house.merchant_id, row.id, now)
    assert await house.run() == {}


async def test_no_more_stand_in_line_than_may_go(house):
    await house.allow(ceiling=2)
    for number in range(1, 5):
        await house.guest(number)
    house.at(12, 20)
    assert await house.run() == {"made": 4, "push": 2}
    assert await house.run() == {}


async def test_in_quiet_hours_it_waits_unless_it_is_over_by_then(house):
    await house.allow()
    await house.guest()
    house.at(12, 23, 21)
    assert await house.run() == {"made": 1}
    house.at(12, 24, 9)
    assert await house.run() == {"dropped": 1}


async def test_a_push_that_comes_late_does_not_ring_in_the_night(house):
    [row] = await queue(house)
    house.at(12, 20, 21)
    assert await begin(house, row) is None
    assert await house.states() == [("expiry", "waiting", "")]
    house.at(12, 21, 9)
    assert await house.run() == {"push": 1}
    assert isinstance(await begin(house, row), Begun)
    house.at(12, 21, 23)
    waits = await begin(house, row)
    assert isinstance(waits, Wait)
    house.at(12, 22, 9)
    assert house.clock.now() == waits.until


async def test_after_a_day_without_an_answer_it_is_pushed_no_more(house):
    [row] = await queue(house)
    await begin(house, row)
    house.clock.move(hours=24)
    assert await begin(house, row) is None
    assert await house.run() == {}
    assert [row.error for row in await house.rows()] == ["late"]
    assert len(await house.hear()) == 1


async def test_what_line_refuses_is_shown_and_told_by_an_answer(house):
    [row] = await queue(house)
    await begin(house, row)
    where = (house.merchant_id, row.id)
    await house.db.write(push_refused, *where, "refused: no", for_good=True)
    now = house.clock.now()
    report = await house.db.read(push_report, house.merchant_id, now)
    assert [(n.error, name) for n, name in report.failures] == [("refused: no", "花子")]
    assert await house.run() == {}
    assert len(await house.hear()) == 1


async def test_a_closed_month_opens_on_the_1st_or_when_somebody_asks(house):
    one, other = await queue(house, 2)
    await begin(house, one)
    now = house.clock.now()
    until = await house.db.write(close_month, house.merchant_id, one.id, now)
    assert until.isoformat() == "2027-01-01T00:00:00+09:00"
    assert await begin(house, other) is None
    assert await house.run() == {}
    await house.db.write(keep_quota, house.merchant_id, quota=200, used=9, now=now)
    assert (await plan_of(house)).closed_until == until
    assert len(await house.log("push.closed")) == 1
    await house.db.write(
        keep_quota, house.merchant_id, quota=200, used=9, now=now, reopens=True
    )
    assert (await plan_of(house)).closed_until is None
    assert await house.run() == {"push": 2}


async def test_who_blocked_the_shop_gets_none(house):
    await house.allow()
    await house.guest()
    now = house.clock.now()
    await house.db.write(
        unfollow, house.merchant_id, person().user_id, now + timedelta(seconds=1)
    )
    house.at(12, 20)
    assert await house.run() == {"made": 1}
    house.clock.move(days=1)
    await house.join(1)
    assert await house.run() == {"push": 1}


async def test_the_report_counts_by_kind_and_way(house):
    rows = await queue(house, 3)
    await begin(house, rows[0])
    await house.db.write(push_told, house.merchant_id, rows[0].id, house.clock.now())
    report = await house.db.read(push_report, house.merchant_id, house.clock.now())
    assert report.told == [("expiry", "push", 1)]
    assert report.waiting == [("expiry", "queued", 2)]
    assert report.counts.this_month == 1


async def test_what_waited_for_a_wallets_holder_is_told_once_they_are_in_line(house):
    now = house.clock.now()
    card_id = await house.db.write(
        open_card,
        merchant_id=house.merchant_id,
        program_key="coffee",
        key="pos",
        now=now,
    )
    await house.stamp(card_id, 10)
    house.at(12, 20)
    assert await house.run() == {"made": 1}
    await house.guest(2, stamps=0)
    code = await house.db.write(
        make_link_code, house.merchant_id, card_id, house.clock.now()
    )
    linked = await house.db.write(
        link_people,
        merchant_id=house.merchant_id,
        code=code.code,
        person=person(2),
        key="link",
        now=house.clock.now(),
    )
    assert isinstance(linked, Linked)

    # One run more does not make another of the same for the person that they are now.
    assert await house.run() == {}
    [news] = await house.hear(2)
    assert (news.kind, news.name) == ("voucher", "コーヒー1杯")
