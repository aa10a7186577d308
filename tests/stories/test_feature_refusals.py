"""Feature 4: a refusal says why and when next, in the chat."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from core.actions.printed import make_printed_code
from core.actions.programs import pause_program
from core.actions.publish import find_program
from core.actions.till import make_till_code
from core.rules.types import Limit
from core.store.tables import card
from tests.bot.line_house import CHANNEL, texts_in
from tests.builders import build_shop, coffee
from tests.stories.at_line import follow, said, scan, shop_on_line

PROGRAMS = (
    ("coffee", coffee()),
    ("tea", coffee(name="紅茶カード", limit=Limit(kind="hours", n=3))),
    ("cake", coffee(name="ケーキカード", limit=Limit(kind="per_day", n=1))),
)


@pytest.fixture
async def house(settings, db, vault, clock, links):
    given = {"settings": settings, "db": db, "vault": vault}
    async with shop_on_line(PROGRAMS, **given, clock=clock, links=links) as found:
        yield found


async def a_code(house, program="coffee") -> str:
    made = await house.db.write(
        make_till_code,
        merchant_id=house.shop.merchant.id,
        shop_key="main",
        program_key=program,
        stamps=1,
        staff_id=house.shop.owner.id,
        now=house.clock.now(),
    )
    return made.code


async def told(house, user_id, text) -> str:
    """What the answer says first, on the screen and to who listens."""
    message = await house.ask(user_id, text)
    words = texts_in(message)[0]
    assert message.get("altText", words).startswith(words)
    return words


async def test_every_reason_of_a_code_is_told_and_gives_no_stamp(house, vault, clock):
    mika, taro = house.friend(), house.friend("太郎")
    other = await build_shop(house.db, vault, clock.now(), key="other", api_key="sk_o")
    theirs = (await other.till_code(clock.now())).code

    assert (await told(house, mika, "STAMP 00000000")).startswith("コードが見つかりま")
    assert (await told(house, mika, theirs)).startswith("別のお店のコードです")

    old = await a_code(house)
    clock.move(seconds=91)
    assert "有効時間" in await told(house, mika, old)

    used = await a_code(house)
    assert "付与しました" in await told(house, taro, used)
    assert (await told(house, mika, used)).startswith("このコードは使用済みです")

    poster = await house.db.write(
        make_printed_code,
        merchant_id=house.shop.merchant.id,
        shop_key="main",
        program_key="coffee",
        stamps=1,
        radius_m=100,
        staff_id=None,
        now=clock.now(),
    )
    assert "約100m以内で使えるコード" in await told(house, mika, poster.code)
    await house.line.send_place(CHANNEL, mika, 35.0, 135.0)
    [far] = await house.line.wait_for_reply(CHANNEL, mika)
    assert "離れています" in said(far.message)

    # 太郎's only.
    assert await house.stamps() == 1


async def test_every_limit_says_from_when_it_gives_again(house, clock):
    mika = house.friend()
    opens = {
        "coffee": "本日分は付与済みです。次は11/24 5:00から",
        "tea": "前回から時間がたっていません。次は11/23 18:00から",
        "cake": "本日の上限に達しました。次は11/24 5:00から",
    }
    for program, refusal in opens.items():
        assert "付与しました" in await told(house, mika, await a_code(house, program))
        assert refusal == await told(house, mika, await a_code(house, program))

    # What was promised is kept, and not a second earlier.
    clock.move(seconds=3 * 3600 - 1)
    assert "次は" in await told(house, mika, await a_code(house, "tea"))
    clock.move(seconds=1)
    assert "付与しました" in await told(house, mika, await a_code(house, "tea"))
    clock.move(hours=11)
    assert "付与しました" in await told(house, mika, await a_code(house))
    assert await house.stamps() == 5


async def test_a_stopped_card_and_a_pause_are_told(house):
    mika, where = house.friend(), house.shop.merchant.id
    await follow(house, mika)
    tea = await house.db.read(find_program, where, "tea")
    stop = update(card).where(card.c.program_id == tea.id).values(state="stopped")
    await house.db.write(lambda tx: tx.execute(stop) and None)
    assert "停止されています" in await told(house, mika, await a_code(house, "tea"))

    await house.db.write(
        pause_program,
        merchant_id=where,
        program_id=house.shop.program.id,
        by=house.shop.owner,
        now=house.clock.now(),
    )
    assert "休んでいます" in said(await scan(house, mika))
    assert await house.stamps() == 0


async def test_five_wrong_codes_close_the_chat_to_codes_for_a_while(house, clock):
    mika, taro = house.friend(), house.friend("太郎")
    for _ in range(5):
        assert "見つかりません" in await told(house, mika, "STAMP 00000000")
    closed = "まちがったコードが続いたため、11/23 15:10まで受け付けません。"
    assert closed == await told(house, mika, await a_code(house))

    # Nobody else is kept waiting, and it ends when it was said to.
    assert "付与しました" in await told(house, taro, await a_code(house))
    clock.move(minutes=10)
    assert "付与しました" in await told(house, mika, await a_code(house))
