"""Pushes against LINE's own behaviour: each arrives once, whatever goes wrong."""

from __future__ import annotations

import asyncio

import pytest

from bot.push import Pusher
from core.actions.channels import line_channel
from core.actions.grant import grant_stamps
from core.actions.join import follow
from core.actions.pushes import load_plan, push_report
from core.errors import DeliveryError
from core.rules.asking import LinePerson, StampAsk
from jobs.pump import BACK_OFF, Pump
from tests.actions.notice_house import DESIGN, NoticeHouse
from tests.bot.line_house import CHANNEL, texts_in
from tests.bot.sdk_models import problems_of
from tests.bot.taps import tap, taps_in
from tests.builders import build_shop, coffee
from tests.webhooks.line_desk import forget_channel


@pytest.fixture
async def shop(db, vault, clock):
    return await build_shop(db, vault, clock.now(), design=coffee(**DESIGN))


class PushHouse:
    """A shop that may push, its friends on LINE, and what sends."""

    def __init__(self, house, settings):
        self.house, self.line = house, house.line
        self.notices = NoticeHouse(
            house.db, house.shop, house.clock, settings, house.vault
        )
        self.pusher = Pusher(house.db, house.vault, house.api, house.clock)
        self.pump = Pump(
            house.db, {"push": self.pusher.deliver}, house.clock, only="push"
        )
        self.channel = house.line.world.channels[CHANNEL]

    async def friend(self, name="美香", language="ja"):
        """A friend with seven stamps of today."""
        user_id = self.house.friend(name, language)
        person = LinePerson(user_id=user_id, name=name, language=language)
        merchant_id, now = self.notices.merchant_id, self.house.clock.now()
        [card_id] = await self.house.db.write(
            follow, merchant_id, person, f"follow {user_id}", now
        )
        ask = StampAsk(
            merchant_id=merchant_id,
            key=f"stamps {user_id}",
            how="till",
            card_id=card_id,
            stamps=7,
        )
        await self.house.db.write(grant_stamps, ask, now)
        return user_id

    async def due(self, **allow):
        """Three days before the end, about noon; pushes stand in line."""
        await self.notices.allow(**allow)
        self.notices.at(12, 20)
        return await self.notices.run()

    def texts(self, user_id):
        return [
            text
            for item in self.house.answers(user_id)
            for text in texts_in(item.message)
        ]

    def calls(self, path):
        return [c for c in self.line.world.calls if c.path.endswith(path)]

    async def states(self):
        return [(state, route) for _, state, route in await self.notices.states()]

    async def plan(self):
        return await self.house.db.read(load_plan, self.notices.merchant_id)

    async def failures(self):
        now = self.house.clock.now()
        report = await self.house.db.read(push_report, self.notices.merchant_id, now)
        return [(notice.error, name) for notice, name in report.failures]


@pytest.fixture
def at(house, settings):
    return PushHouse(house, settings)


async def test_a_push_says_who_writes_what_is_due_and_how_to_stop(at):
    ja, en = await at.friend(), await at.friend("Mika", "en")
    assert await at.due() == {"made": 2, "push": 2}
    await at.pump.drain()

    assert at.texts(ja)[0].splitlines() == [
        "あおぞら珈琲",
        "コーヒーカード: スタンプ7個の有効期限は12/23(あと3日)です。",
        "",
        "お知らせを選ぶには「通知」と送ってください。",
    ]
    assert "7 stamps valid until Dec 23 (3 days left)." in at.texts(en)[0]
    assert [item.how for item in at.house.answers(ja)] == ["push"]
    assert await at.states() == [("told", "push")] * 2
    assert at.channel.n_pushed == 2
    # The quota was asked for once, before the first.
    assert len(at.calls("/quota")) == 1
    assert (await at.plan()).quota == 200


async def test_accepted_and_answered_with_500_is_told_once(at):
    user_id = await at.friend()
    await at.due()
    at.line.accept_then_500("/v2/bot/message/push")
    await at.pump.drain()
    assert await at.states() == [("sending", "push")]
    # An answer meanwhile does not tell it again.
    at.house.run()
    message = await at.house.ask(user_id, "カード")
    assert "12/23(あと3日)" not in str(message)

    at.house.clock.move(seconds=5)
    await at.pump.drain()

    assert [c.status for c in at.calls("/push")] == [500, 409]
    assert await at.states() == [("told", "push")]
    assert len([t for t in at.texts(user_id) if "12/23(あと3日)" in t]) == 1
    assert at.channel.n_pushed == 1


async def test_a_process_that_dies_between_sending_and_noting_tells_it_once(
    at, monkeypatch
):
    user_id = await at.friend()
    await at.due()
    [row] = await at.notices.rows()
    write = at.house.db.write

    async def dies(fn, *args, **kwargs):
        if fn.__name__ == "push_told":
            raise asyncio.CancelledError
        return await write(fn, *args, **kwargs)

    monkeypatch.setattr(at.house.db, "write", dies)
    await at.pump.drain()
    monkeypatch.undo()
    assert await at.states() == [("sending", "push")]

    # The lease ends, and another process takes it over; a stamp less or more does not
    # change what was sent.
    at.house.clock.move(minutes=2)
    await at.pump.drain()

    sent = [c.body for c in at.calls("/push")]
    assert sent[0] == sent[1]
    assert [c.status for c in at.calls("/push")] == [200, 409]
    assert len(at.texts(user_id)) == 1
    assert at.line.world.retry_keys.keys() == {f"{CHANNEL} {row.id}"}


async def test_after_timeouts_it_tries_again_ever_more_slowly(at):
    user_id = await at.friend()
    await at.due()
    at.line.down = True
    await at.pump.drain()
    at.line.down = False
    assert await at.states() == [("queued", "")]
    # Before anything could be asked of LINE, an answer may still tell it instead.
    at.line.cut_next("/v2/bot/message/push", times=2)
    for wait in BACK_OFF[1:4]:
        at.house.clock.move(seconds=1.2 * wait.total_seconds() + 1)
        await at.pump.drain()
    assert await at.states() == [("told", "push")]
    assert len(at.texts(user_id)) == 1


async def test_a_rate_limit_is_waited_for(at):
    await at.friend()
    await at.due()
    body = {"message": "The API rate limit has been exceeded. Try again later."}
    at.line.fail_next("/v2/bot/message/push", 429, body=body)
    await at.pump.drain()
    assert (await at.plan()).closed_until is None
    at.house.clock.move(seconds=5)
    await at.pump.drain()
    assert await at.states() == [("told", "push")]


async def test_the_monthly_limit_closes_pushes_and_loses_nothing(at):
    one, other = await at.friend(), await at.friend("次郎")
    await at.due()
    # LINE keeps some for a narrowcast that is running: it refuses with messages left.
    at.line.fail_next(
        "/v2/bot/message/push",
        429,
        times=2,
        body={"message": "You have reached your monthly limit."},
    )
    await at.pump.drain()

    until = (await at.plan()).closed_until
    assert until is not None
    assert until.isoformat() == "2026-12-31T15:00:00+00:00"
    assert await at.states() == [("waiting", "")] * 2
    at.house.clock.move(hours=1)
    assert await at.notices.run() == {}
    at.house.run()
    for user_id in (one, other):
        await at.house.ask(user_id, "カード")
        assert "あと3日" in at.texts(user_id)[0]
    await at.house.settled()
    assert await at.states() == [("told", "reply")] * 2


async def test_a_quota_of_two_takes_two(at):
    at.channel.quota = 2
    users = [await at.friend(f"友{n}") for n in range(5)]
    await at.due()
    await at.pump.drain()
    assert at.channel.n_pushed == 2
    assert sum(bool(at.texts(user_id)) for user_id in users) == 2
    assert sorted(await at.states()) == [("told", "push")] * 2 + [("waiting", "")] * 3
    # Looked at again each hour: somebody may have bought more.
    at.channel.quota = 100
    at.house.clock.move(hours=1, minutes=1)
    assert await at.notices.run() == {"push": 1}
    await at.pump.drain()
    assert await at.notices.run() == {"push": 2}


async def test_two_senders_at_once_stay_below_the_ceiling(at):
    for n in range(6):
        await at.friend(f"友{n}")
    await at.due()
    await at.notices.allow(ceiling=3)
    other = Pump(at.house.db, {"push": at.pusher.deliver}, at.house.clock, only="push")
    await asyncio.gather(at.pump.drain(), other.drain())
    assert at.channel.n_pushed == 3


async def test_a_plan_without_limit_is_no_limit(at):
    at.channel.quota = None
    await at.friend()
    await at.due()
    await at.pump.drain()
    plan = await at.plan()
    assert (plan.quota, plan.used) == (None, 0)
    assert await at.states() == [("told", "push")]


async def test_whom_line_does_not_know_is_shown_as_a_failure(at):
    user_id = await at.friend()
    del at.line.world.people[user_id]
    await at.due()
    await at.pump.drain()
    [(error, name)] = await at.failures()
    assert error.startswith("refused: ")
    assert "Failed to send messages" in error
    assert name == "美香"
    assert await at.notices.run() == {}
    assert await at.states() == [("waiting", "")]


async def test_a_secret_that_is_refused_is_shown_and_mended_by_the_next_hour(at):
    await at.friend()
    await at.due()
    at.line.fail_next("/v2/bot/message/push", 403, body={"message": "Not permitted"})
    await at.pump.drain()
    [(error, _)] = await at.failures()
    assert error.startswith("connection: ")
    at.house.clock.move(hours=1)
    assert await at.notices.run() == {"push": 1}
    await at.pump.drain()
    assert await at.states() == [("told", "push")]
    assert await at.failures() == []


async def test_an_access_token_that_ran_out_is_minted_anew(at):
    await at.friend()
    await at.due()
    await at.pusher.look(at.notices.merchant_id)
    at.line.forget_access_tokens()
    await at.pump.drain()
    assert [c.status for c in at.calls("/push")] == [401, 200]


async def test_who_blocked_us_unheard_costs_nothing(at):
    user_id = await at.friend()
    at.line.world.people[user_id].friends.discard(CHANNEL)
    await at.due()
    await at.pump.drain()
    assert at.channel.n_pushed == 0
    assert at.texts(user_id) == []


async def test_in_the_night_a_retry_waits_for_the_morning(at):
    user_id = await at.friend()
    await at.notices.allow()
    at.notices.at(12, 20, 20, 59)
    await at.notices.run()
    at.line.accept_then_500("/v2/bot/message/push")
    await at.pump.drain()
    at.notices.at(12, 20, 21, 1)
    await at.pump.drain()
    assert len(at.calls("/push")) == 1
    at.notices.at(12, 21, 9, 0)
    at.house.clock.move(hours=2.5)
    await at.pump.drain()
    assert [c.status for c in at.calls("/push")] == [500, 409]
    assert len(at.texts(user_id)) == 1


async def test_what_line_says_of_the_quota_may_be_nonsense(at):
    at.line.fail_next("/v2/bot/message/quota", 200, body={"type": "limited"})
    with pytest.raises(DeliveryError, match="no number"):
        await at.pusher.look(at.notices.merchant_id)
    assert (await at.plan()).looked_at is None


async def test_without_a_channel_there_is_nothing_to_ask_or_send(at, db):
    await at.friend()
    await at.due()
    await forget_channel(db)
    assert await db.read(line_channel, at.notices.merchant_id) is None
    assert await at.pusher.look(at.notices.merchant_id) is None
    await at.pump.drain()
    assert at.channel.n_pushed == 0
    assert await at.states() == [("waiting", "")]


# --- answers and choices --------------------------------------------------------------


async def test_the_next_answer_tells_what_is_due_once_and_keeps_its_own(at):
    user_id = await at.friend()
    at.notices.at(12, 20)
    await at.notices.run()
    at.house.run()
    await at.house.ask(user_id, "履歴")
    first, answer = [item.message for item in at.house.answers(user_id)]
    assert first == {
        "type": "text",
        "text": "コーヒーカード: スタンプ7個の有効期限は12/23(あと3日)です。",
    }
    assert "quickReply" in answer
    await at.house.settled()
    await at.house.ask(user_id, "カード")
    assert len(at.house.answers(user_id)) == 3
    assert at.channel.n_pushed == 0


async def test_an_answer_that_came_too_late_has_told_nothing(at):
    user_id = await at.friend()
    at.notices.at(12, 20)
    await at.notices.run()
    await at.line.say(CHANNEL, user_id, "カード")
    at.house.clock.move(seconds=70)
    worker = at.house.new_worker()
    await worker.answer_next()
    assert at.texts(user_id) == []
    assert await at.states() == [("waiting", "")]
    at.house.run()
    await at.house.ask(user_id, "カード")
    assert "あと3日" in at.texts(user_id)[0]


async def test_an_answer_that_failed_half_way_tells_it_with_the_same_event(at):
    user_id = await at.friend()
    at.notices.at(12, 20)
    await at.notices.run()
    await at.line.say(CHANNEL, user_id, "カード")
    at.line.accept_then_500("/v2/bot/message/reply")
    worker = at.house.new_worker()
    await worker.answer_next()
    assert await at.states() == [("replying", "reply")]
    at.house.clock.move(seconds=2)
    # Another process takes it up: the first one's memory is gone.
    await at.house.new_worker().answer_next()
    assert await at.house.notes() == ["replied before"]
    assert await at.states() == [("told", "reply")]
    assert len([t for t in at.texts(user_id) if "あと3日" in t]) == 1


@pytest.mark.parametrize("word", ["通知", "お知らせ", "Notifications", "通知設定"])
async def test_the_choice_is_a_word_away_and_a_tap_each(at, word):
    user_id = await at.friend()
    at.house.run()
    message = await at.house.ask(user_id, word)
    assert problems_of(message) == []
    assert "スタンプの有効期限: オン" in texts_in(message)
    off = taps_in(message, "news")
    assert [a["label"] for a in off] == [
        "スタンプの有効期限をオフにする",
        "特典の有効期限をオフにする",
        "お誕生日の特典をオフにする",
    ]

    after = await tap(at.house, user_id, off[0])

    assert "スタンプの有効期限: オフ" in texts_in(after)
    data = await at.house.ask(user_id, "データ")
    assert "スタンプの有効期限(オフ)、特典の有効期限(オン)" in str(data)
    # The old button once more changes nothing.
    assert "スタンプの有効期限: オフ" in texts_in(await tap(at.house, user_id, off[0]))
    at.notices.at(12, 20)
    assert await at.notices.run() == {}
    on = taps_in(after, "news")[0]
    assert "スタンプの有効期限: オン" in texts_in(await tap(at.house, user_id, on))


async def test_a_stranger_may_look_and_has_nothing_to_choose(at):
    user_id = at.house.friend()
    at.house.run()
    message = await at.house.ask(user_id, "通知")
    [first, *_] = taps_in(message, "news")
    after = await tap(at.house, user_id, first)
    assert "データ" in str(after) or "登録" in str(after)
