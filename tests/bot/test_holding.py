"""The answer to 「使う」 waits for staff at a till, and never for long."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select

from bot import holding
from core.actions.redeem import undo_redeem
from core.actions.redemptions import (
    cancel_redemption,
    confirm_redemption,
    waiting_redemptions,
)
from core.rules.redeeming import Redemption
from core.store.merchants import update_line
from core.store.tables import redemption
from tests.bot.line_house import CHANNEL, LineHouse, texts_in
from tests.bot.taps import link_in, tap, taps_in
from tests.webhooks.rooms import Staff, serve_rooms

LOADING = "/v2/bot/chat/loading/start"
TICKET = "スタッフにお見せください"


@pytest.fixture
async def till(house: LineHouse, settings, clock):
    """A clerk signed in at the till of the house, over real HTTP."""
    async with serve_rooms(house.db, settings, clock) as client:
        staff = Staff(client)
        await staff.sign_in("clerk@aozora.jp")
        yield staff


async def full_card(house: LineHouse, name: str = "美香") -> tuple[str, dict]:
    """A friend with a full card, and the button 「使う」 of its reward."""
    who = house.friend(name)
    code = await house.shop.till_code(house.clock.now(), stamps=10)
    await house.ask(who, f"STAMP {code.code}")
    (use,) = taps_in(await house.ask(who, "特典"), "use")
    await house.settled()
    return who, use


def press(house: LineHouse, who: str, use: dict) -> asyncio.Task:
    return asyncio.create_task(tap(house, who, use))


async def eventually(look: Callable[[], Awaitable], seconds: float = 10):
    """Other tasks decide; a test looks until it is so."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):  # noqa: ASYNC110 -- nothing rings here
            await asyncio.sleep(0.01)
        return found


async def asked(house: LineHouse, n: int = 1) -> list[Redemption]:
    async def look():
        found = await house.db.read(
            waiting_redemptions, house.shop.merchant.id, house.clock.now()
        )
        return [each.redemption for each in found] if len(found) == n else None

    return await eventually(look)


async def dots(house: LineHouse) -> list:
    async def look():
        return [call for call in house.line.world.calls if call.path == LOADING]

    return await eventually(look)


def said(message) -> str:
    return "\n".join(texts_in(message))


async def confirm(house: LineHouse, one: Redemption, key: str = "till"):
    return await house.db.write(
        confirm_redemption,
        merchant_id=one.merchant_id,
        redemption_id=one.id,
        by=house.shop.owner,
        key=key,
        now=house.clock.now(),
    )


async def requests(house: LineHouse) -> list:
    return await house.db.read(lambda tx: tx.execute(select(redemption)).all())


# --- the reply itself says it ---------------------------------------------------------


async def test_staff_confirm_at_the_till_and_the_reply_says_so_with_the_card(
    house: LineHouse, till: Staff
):
    house.run()
    mika, use = await full_card(house)
    answer = press(house, mika, use)
    (one,) = await asked(house)
    await dots(house)
    assert not answer.done()

    house.clock.move(seconds=7)
    assert "美香さん" in await till.get("/till/")
    await till.post(f"/till/asked/{one.id}/confirm", {})

    message = await answer
    title = texts_in(message)[0]
    assert re.fullmatch(r"使いました 15:00 No\.\d{4}", title)
    assert "「コーヒー1杯」" in texts_in(message)[1]
    # The card as it is now: nothing to use on it any more.
    assert "10個たまりました" in said(message)
    assert "使える特典" not in said(message)
    assert message["altText"].startswith(title)
    await house.settled()
    assert len(house.answers(mika)) == 3
    assert house.line.world.channel(CHANNEL).n_pushed == 0


async def test_the_dots_are_shown_meanwhile(house: LineHouse, till: Staff):
    house.run()
    mika, use = await full_card(house)
    answer = press(house, mika, use)
    (call,) = await dots(house)
    assert call.body == {"chatId": mika, "loadingSeconds": 20}
    (one,) = await asked(house)
    await confirm(house, one)
    await answer


async def test_dots_that_do_not_come_delay_nothing(house: LineHouse, till: Staff):
    house.run()
    mika, use = await full_card(house)
    house.line.slow(60, LOADING)
    answer = press(house, mika, use)
    (one,) = await asked(house)
    await confirm(house, one)
    assert "使いました" in said(await answer)


async def test_dots_that_line_refuses_are_no_matter(house: LineHouse, till: Staff):
    house.run()
    mika, use = await full_card(house)
    house.line.fail_next(LOADING, 429)
    answer = press(house, mika, use)
    (one,) = await asked(house)
    await dots(house)
    await confirm(house, one)
    assert "使いました" in said(await answer)


async def test_staff_who_stop_it_are_heard_at_once(house: LineHouse, till: Staff):
    house.run()
    mika, use = await full_card(house)
    answer = press(house, mika, use)
    (one,) = await asked(house)
    await house.db.write(
        cancel_redemption,
        merchant_id=one.merchant_id,
        redemption_id=one.id,
        now=house.clock.now(),
        by=house.shop.owner,
    )
    assert "「コーヒー1杯」の受け付けは、お店で取りやめになりました" in said(
        await answer
    )


async def test_what_nobody_confirms_in_time_is_the_ticket_with_the_live_page(
    house: LineHouse, till: Staff
):
    house.run()
    mika, use = await full_card(house)
    answer = press(house, mika, use)
    await dots(house)
    house.clock.move(seconds=14)
    (one,) = await asked(house)
    assert not answer.done()
    house.clock.move(seconds=2)
    message = await answer
    assert texts_in(message)[0] == TICKET
    assert "/v/" in link_in(message, "/v/")
    # And staff may still confirm it; the live page tells.
    assert one.as_of(house.clock.now()).state == "waiting"


async def test_it_also_ends_when_the_clock_was_put_back(
    house: LineHouse, till: Staff, monkeypatch
):
    monkeypatch.setattr(holding, "HOLDS", holding.timedelta(seconds=0.3))
    house.run()
    mika, use = await full_card(house)
    assert texts_in(await tap(house, mika, use))[0] == TICKET


# --- when nothing is held -------------------------------------------------------------


async def test_without_a_till_nobody_waits(house: LineHouse):
    house.run()
    mika, use = await full_card(house)
    assert texts_in(await tap(house, mika, use))[0] == TICKET
    assert not [call for call in house.line.world.calls if call.path == LOADING]


async def test_a_till_that_was_left_two_minutes_ago_holds_nothing(
    house: LineHouse, till: Staff
):
    house.run()
    mika, use = await full_card(house)
    house.clock.move(minutes=3)
    assert texts_in(await tap(house, mika, use))[0] == TICKET


async def test_the_merchant_may_switch_it_off(house: LineHouse, till: Staff):
    await house.db.write(update_line, house.shop.merchant.id, holds_replies=False)
    house.run()
    mika, use = await full_card(house)
    assert texts_in(await tap(house, mika, use))[0] == TICKET


async def test_whoever_writes_again_waits_no_longer(house: LineHouse, till: Staff):
    house.run()
    mika, use = await full_card(house)
    answer = press(house, mika, use)
    await dots(house)
    before = len(house.line.world.chat(CHANNEL, mika))
    await house.line.say(CHANNEL, mika, "カード")
    items = await house.line.wait_for_reply(CHANNEL, mika, after=before)
    assert texts_in(items[0].message)[0] == TICKET
    await house.settled()
    shown = [texts_in(item.message)[0] for item in house.answers(mika)]
    assert shown[-2:] == [TICKET, "コーヒーカード"]
    answer.cancel()


async def test_a_second_tap_is_the_same_request_and_no_second_reward(
    house: LineHouse, till: Staff
):
    house.run()
    mika, use = await full_card(house)
    for _ in range(2):
        await house.line.postback(CHANNEL, mika, use["data"])
    (one,) = await asked(house)

    async def is_second_held():
        # The first was answered, and then the dots came (again).
        paths = [call.path for call in house.line.world.calls]
        return paths[-1] == LOADING and len(house.answers(mika)) == 3

    await eventually(is_second_held)
    await confirm(house, one)
    await house.settled()
    shown = [texts_in(item.message)[0] for item in house.answers(mika)][-2:]
    assert shown[0] == TICKET
    assert shown[1].startswith("使いました")
    assert len(await requests(house)) == 1


async def test_others_are_answered_while_forty_wait_and_the_next_gets_a_ticket(
    house: LineHouse, till: Staff, monkeypatch
):
    monkeypatch.setattr(holding.Holding.__init__, "__kwdefaults__", {"at_most": 2})
    house.run()
    full = [await full_card(house, f"客{n}") for n in range(3)]
    held = [press(house, *each) for each in full[:2]]
    await asked(house, 2)

    async def are_held():
        return len(await dots(house)) == 2

    await eventually(are_held)
    third, use = full[2]
    assert texts_in(await tap(house, third, use))[0] == TICKET
    assert "コーヒーカード" in said(await house.ask(house.friend("太郎"), "カード"))
    for one in await asked(house, 3):
        await confirm(house, one, f"till:{one.id}")
    for answer in held:
        assert "使いました" in said(await answer)


# --- stops, crashes and redeliveries --------------------------------------------------


async def test_a_stop_ends_the_wait_at_once_with_the_ticket(
    house: LineHouse, till: Staff
):
    worker = house.run()
    mika, use = await full_card(house)
    answer = press(house, mika, use)
    await dots(house)
    worker.stop()
    assert texts_in(await answer)[0] == TICKET
    async with asyncio.timeout(5):
        await house._running


async def test_what_died_while_it_was_held_is_answered_by_the_next_with_what_is_so(
    house: LineHouse, till: Staff
):
    """As by kill -9: no word of it is left but the event in the inbox."""
    first = asyncio.create_task(house.new_worker().run())
    mika, use = await full_card(house)
    answer = press(house, mika, use)
    (one,) = await asked(house)
    await dots(house)
    async with killed(first):
        await confirm(house, one)
    house.clock.move(seconds=31)
    house.run()
    assert texts_in(await answer)[0].startswith("使いました 15:00 No.")
    await house.settled()
    assert len(await requests(house)) == 1
    assert [note for note in await house.notes() if note != "replied"] == []


async def test_a_restart_begins_no_new_wait(house: LineHouse, till: Staff):
    first = asyncio.create_task(house.new_worker().run())
    mika, use = await full_card(house)
    answer = press(house, mika, use)
    await dots(house)
    async with killed(first):
        pass
    house.clock.move(seconds=31)
    house.run()
    assert texts_in(await answer)[0] == TICKET
    assert len(await requests(house)) == 1


async def test_a_use_that_was_taken_back_before_the_answer_is_said_to_be(
    house: LineHouse, till: Staff
):
    first = asyncio.create_task(house.new_worker().run())
    mika, use = await full_card(house)
    answer = press(house, mika, use)
    (one,) = await asked(house)
    await dots(house)
    async with killed(first):
        await confirm(house, one)
        await house.db.write(
            undo_redeem,
            merchant_id=one.merchant_id,
            voucher_id=one.voucher_id,
            by=house.shop.owner,
            key="back",
            now=house.clock.now(),
        )
    house.clock.move(seconds=31)
    house.run()
    assert "「コーヒー1杯」の使用は、お店で取り消されました" in said(await answer)
    assert taps_in(await house.ask(mika, "特典"), "use")


@asynccontextmanager
async def killed(worker: asyncio.Task):
    """The worker is gone in the middle of everything, and says nothing more."""
    busy = [
        task
        for task in asyncio.all_tasks()
        if task.get_coro().__qualname__ == "LineWorker._answer"
    ]
    for task in [*busy, worker]:
        task.cancel()
    await asyncio.gather(*busy, worker, return_exceptions=True)
    yield
