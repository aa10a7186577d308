"""Taking back a message: its words are gone everywhere, what it did stays."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from core.actions.claims import list_claims
from core.store.tables import answered, claim, inbox, journal, refusal
from tests.bot.line_house import CHANNEL, LineHouse
from tests.bot.taps import tap, taps_in
from tests.bot.test_personal import another_card

SECRET = "きのうスタンプが付いていない、わたしは花子です"


@pytest.fixture
async def mika(house: LineHouse) -> str:
    house.run()
    return house.friend()


async def take_back(house: LineHouse, user_id: str, words: str) -> None:
    """Unsend the message with these words."""
    chat = house.line.world.chat(CHANNEL, user_id)
    [one] = [i for i in chat if i.who == "person" and i.message.get("text") == words]
    await house.line.unsend(CHANNEL, user_id, one.message_id)
    await house.settled()


async def everything(house: LineHouse) -> str:
    """All that is kept and may hold words of people."""
    tables = (inbox, claim, refusal, journal, answered)
    rows = await house.db.read(
        lambda tx: [tuple(r) for table in tables for r in tx.execute(select(table))]
    )
    return str(rows)


async def test_a_message_taken_back_loses_its_words_and_keeps_its_stamp(house, mika):
    code = await house.shop.till_code(house.clock.now())
    words = f"花子です、コード {code.code} をおねがい"
    await house.ask(mika, words)
    assert "花子です" in await everything(house)

    await take_back(house, mika, words)

    assert "花子です" not in await everything(house)
    assert await house.stamps() == 1
    assert (await house.notes())[-1] == "done"
    # Nothing is said: the chat is as they want it.
    assert len(house.answers(mika)) == 1


async def test_a_claim_taken_back_stays_without_its_words(house, mika):
    await house.ask(mika, SECRET)
    assert SECRET in await everything(house)

    await take_back(house, mika, SECRET)

    assert "花子です" not in await everything(house)
    (left,) = await house.db.read(list_claims, house.shop.merchant.id)
    assert (left.claim.text, left.claim.state) == ("", "open")


async def test_a_claim_on_one_of_several_cards_loses_its_words_too(house, mika):
    await another_card(house)
    await house.ask(mika, "カード")
    message = await house.ask(mika, SECRET)
    choice = taps_in(message, "claim")[0]
    await tap(house, mika, choice)
    (made,) = await house.db.read(list_claims, house.shop.merchant.id)
    assert made.claim.text == SECRET

    await take_back(house, mika, SECRET)

    assert "花子です" not in await everything(house)


async def test_a_claim_that_was_too_long_to_keep_whole_is_wiped_too(house, mika):
    long = f"{SECRET}。{'とても長い話です。' * 40}"
    await house.ask(mika, long)
    (made,) = await house.db.read(list_claims, house.shop.merchant.id)
    assert made.claim.text.endswith("…")

    await take_back(house, mika, long)

    assert "花子です" not in await everything(house)


async def test_other_messages_and_other_people_keep_theirs(house, mika):
    taro = house.friend("太郎")
    await house.ask(mika, "ヘルプ")
    await house.ask(mika, SECRET)
    await house.ask(taro, SECRET)
    await take_back(house, mika, SECRET)

    rows = await house.db.read(lambda tx: tx.execute(select(inbox)).all())
    kept = {(row.person, "花子です" in row.body, "ヘルプ" in row.body) for row in rows}
    assert (taro, True, False) in kept
    assert (mika, False, True) in kept
    assert (mika, True, False) not in kept
    (other,) = [
        view.claim.text
        for view in await house.db.read(list_claims, house.shop.merchant.id)
        if view.customer_name == "太郎"
    ]
    assert other == SECRET


async def test_a_message_that_comes_again_after_it_was_taken_back_stays_empty(
    house, mika
):
    sent = await house.line.say(CHANNEL, mika, SECRET)
    await house.line.wait_for_reply(CHANNEL, mika)
    await take_back(house, mika, SECRET)
    await house.line.redeliver(sent)
    await house.settled()
    assert "花子です" not in await everything(house)
    assert len(house.answers(mika)) == 1


async def test_what_was_never_ours_to_wipe_is_no_trouble(house, mika):
    await house.line.unsend(CHANNEL, mika, "123456789")
    await house.settled()
    assert await house.notes() == ["done"]
