"""The page of notices: what they cost, what is allowed, and what went wrong."""

from __future__ import annotations

import re

import pytest

from core.actions.pushes import (
    begin_push,
    close_month,
    keep_quota,
    load_plan,
    push_refused,
    push_told,
)
from core.rules.pushing import PushPlan
from tests.actions.notice_house import DESIGN, NoticeHouse
from tests.builders import build_shop, coffee
from tests.webhooks.desk import at_desk
from tests.webhooks.line_desk import at_line_desk, forget_channel

PAGE = "/merchant/messages"


@pytest.fixture
async def shop(db, vault, clock):
    return await build_shop(db, vault, clock.now(), design=coffee(**DESIGN))


@pytest.fixture
async def desk(db, settings, clock, shop):
    async with at_desk(db, settings, clock) as made:
        yield made


@pytest.fixture
def notices(db, shop, clock, settings, vault):
    return NoticeHouse(db, shop, clock, settings, vault)


async def open_page(desk, role="owner"):
    await desk.sign_in(f"{role}@aozora.jp")
    await desk.get(PAGE)


async def save(desk, **typed):
    form = {"is_allowed": "1", "ceiling": "", "quiet_from": "21", "quiet_to": "9"}
    await desk.send(PAGE, {"csrf": desk.csrf, **form, **typed})


def words(page):
    """What the page says, without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def row_of(page, kind):
    row = re.search(rf'<tr id="kind-{kind}">(.*?)</tr>', page, re.DOTALL)
    return re.findall(r"<td>(\d+)</td>", row[1]) if row else None


def draw(news, merchant, language):
    return [{"type": "text", "text": "x"}]


async def plan_of(notices) -> PushPlan:
    return await notices.db.read(load_plan, notices.merchant_id)


async def test_pushes_are_off_until_an_owner_allows_them(desk, notices):
    await open_page(desk)
    assert desk.status == 200
    assert "checked" not in desk.page
    assert "残りは未確認" in desk.page
    assert "LINEにまだ確認していません" in desk.page

    await save(desk, ceiling="50", quiet_from="20", quiet_to="10")

    assert desk.path == PAGE
    assert "保存しました" in desk.page
    plan = await plan_of(notices)
    assert (plan.is_allowed, plan.ceiling) == (True, 50)
    assert (plan.quiet_from, plan.quiet_to) == (20, 10)
    assert 'value="50"' in desk.page
    assert '<option value="20" selected>' in desk.page
    # An unticked box is not sent at all.
    form = {"csrf": desk.csrf, "ceiling": "", "quiet_from": "0", "quiet_to": "0"}
    await desk.send(PAGE, form)
    plan = await plan_of(notices)
    assert (plan.is_allowed, plan.ceiling) == (False, None)


@pytest.mark.parametrize("ceiling", ["-1", "many", "1000001", "１０.5"])
async def test_what_cannot_be_kept_is_said_and_stays_typed(desk, notices, ceiling):
    await open_page(desk)
    await save(desk, ceiling=ceiling)
    assert desk.status == 422
    assert 'id="p-ceiling"' in desk.page
    assert f'value="{ceiling}"' in desk.page
    assert await plan_of(notices) == PushPlan(merchant_id=notices.merchant_id)


async def test_an_hour_that_no_day_has_is_refused(desk, notices):
    await open_page(desk)
    await save(desk, quiet_from="24", quiet_to="")
    assert desk.status == 422
    assert 'id="p-quiet"' in desk.page


async def test_a_manager_sees_and_does_not_change(desk, notices):
    await open_page(desk, "manager")
    assert desk.status == 200
    assert "変更できるのは管理者だけです" in desk.page
    assert "<fieldset disabled>" in desk.page
    await save(desk)
    assert desk.status == 403
    await desk.send(f"{PAGE}/quota", {"csrf": desk.csrf})
    assert desk.status == 403
    assert not (await plan_of(notices)).is_allowed


@pytest.mark.parametrize("role", ["clerk", "viewer"])
async def test_others_do_not_see_it(desk, role):
    await open_page(desk, role)
    assert desk.status == 403


async def test_a_form_from_elsewhere_is_refused(desk, notices):
    await open_page(desk)
    await desk.send(PAGE, {"is_allowed": "1", "quiet_from": "0", "quiet_to": "0"})
    assert desk.status == 403
    assert not (await plan_of(notices)).is_allowed


async def test_it_counts_what_waits_and_what_went_which_way(desk, notices, clock):
    await notices.allow()
    for number in (1, 2, 3, 4):
        await notices.guest(number)
    notices.at(12, 20)
    await notices.run()
    one, other, *_ = await notices.rows()
    for row in (one, other):
        where = (notices.merchant_id, row.id)
        await notices.db.write(begin_push, *where, draw, clock.now())
    await notices.db.write(push_told, notices.merchant_id, one.id, clock.now())
    said = "refused: LINE <b>no</b>"
    where = (notices.merchant_id, other.id)
    await notices.db.write(push_refused, *where, said, for_good=True)
    await open_page(desk)
    assert row_of(desk.page, "expiry") == ["3", "0", "0", "1"]
    assert row_of(desk.page, "birthday") == ["0", "0", "0", "0"]
    assert "LINEに断られました" in desk.page
    assert "LINE &lt;b&gt;no&lt;/b&gt;" in desk.page
    assert "花子" in desk.page


async def test_what_is_left_and_a_closed_month_are_told(desk, notices, clock):
    await notices.allow()
    await notices.guest()
    notices.at(12, 20)
    await notices.run()
    [row] = await notices.rows()
    now, mine = clock.now(), notices.merchant_id
    await notices.db.write(keep_quota, mine, quota=200, used=57, now=now)
    await open_page(desk)
    assert "200通中143通残り" in desk.page

    await notices.db.write(begin_push, mine, row.id, draw, now)
    await desk.get(PAGE)
    assert "200通中142通残り" in desk.page
    await notices.db.write(close_month, mine, row.id, now)
    await desk.get(PAGE)
    assert "LINEの今月の上限に達したため、プッシュ通知は2027/1/1まで" in desk.page

    # In the new month, last month's figures are nobody's.
    notices.at(1, 1, 12, year=2027)
    await open_page(desk)
    assert 'id="closed"' not in desk.page
    assert "残りは未確認" in desk.page


async def test_without_line_it_says_so(desk, notices, db):
    await forget_channel(db)
    await open_page(desk)
    assert "LINEがつながっていないため" in desk.page
    await desk.send(f"{PAGE}/quota", {"csrf": desk.csrf})
    assert "LINEがつながっていません" in desk.page


async def test_in_english(desk, notices):
    await open_page(desk)
    form = {"csrf": desk.csrf, "language": "en", "next": PAGE}
    await desk.send("/merchant/language", form)
    text = words(desk.page)
    assert "Notices to customers" in text
    assert "Stamps that expire" in text


async def test_a_shop_without_notices_is_told_how_to_have_some(desk, notices):
    await notices.publish(coffee())
    await open_page(desk)
    assert "お知らせはありません" in desk.page


async def test_the_button_asks_line_and_opens_a_month_that_has_room(
    db, settings, vault, clock, shop, notices
):
    async with at_line_desk(db, settings, vault, clock) as line:
        desk = line.desk
        line.channel.quota, line.channel.n_pushed = 5000, 40
        await desk.get(PAGE)
        press = (f"{PAGE}/quota", {"csrf": desk.csrf})
        await desk.send(*press)
        assert "LINEに確認しました" in desk.page
        assert "5000通中4960通残り" in desk.page
        line.channel.quota = None
        await desk.send(*press)
        assert "通数の上限なし" in desk.page
        line.line.down = True
        await desk.send(*press)
        assert "LINEにいま確認できません" in desk.page
        line.line.down = False
        line.channel.secret = "f" * 32
        line.line.forget_access_tokens()
        await desk.send(*press)
        assert "LINEがチャネルシークレットを受け付けません" in desk.page


async def test_the_way_there_is_on_the_first_page(desk):
    await open_page(desk)
    await desk.get("/merchant/")
    assert f'href="{PAGE}"' in desk.page
