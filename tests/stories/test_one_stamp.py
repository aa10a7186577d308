"""One stamp, in a straight line: from the till's code to the chat and both wallets.

Everything here goes over HTTP, as LINE, a phone, APNs, Google and a POS would do it.
Read it beside the table in the README.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from jobs.demo.world import CHANNEL_ID
from tests.stories.conftest import until


async def test_one_stamp_shows_in_the_chat_and_on_both_passes(town):
    hanako = town.world.line.add_person("花子")

    # A friend is added, and has a card at once.
    welcome = await town.follow(hanako)
    assert "10個中0個" in welcome["altText"]

    # The till shows a code; its text is sent; the answer is the card with its stamp.
    code = await town.till_code()
    answer = await town.say(hanako, f"STAMP {code}")
    assert "10個中1個" in answer["altText"]
    assert answer["type"] == "flex"

    # The till knows who it was.
    state = await town.api("GET", f"/till-codes/{code}")
    card = await town.card_of(hanako)
    assert ("claimed", card["id"]) == (state["state"], state["card"]["id"])
    assert (card["balance"], card["goal"], card["customer"]["name"]) == (1, 10, "花子")

    # The card goes into both wallets, the same card with the same balance.
    phone, google = town.world.phone, town.world.google
    serial = await phone.add(f"{card['add_to_wallet_url']}.pkpass")
    before = phone.passes[serial]
    assert "1/10" in header(before)
    object_id = await save_to_google(town, card)
    assert google.objects[object_id]["loyaltyPoints"]["balance"]["string"] == "1/10"
    old = before.file.files["strip@3x.png"], before.last_modified

    # The next stamp changes the chat, and both passes by themselves.
    answer = await town.say(hanako, f"STAMP {await town.till_code()}")
    assert "10個中2個" in answer["altText"]
    after = await phone.wait_for_update(serial)
    assert "2/10" in header(after)
    assert after.file.files["strip@3x.png"] != old[0]
    assert after.last_modified != old[1]
    assert "2/10" in phone.notices[-1].text
    await until(
        lambda: (
            google.objects[object_id]["loyaltyPoints"]["balance"]["string"] == "2/10"
        )
    )
    assert phone.problems == []

    # Two stamps in the book, newest first.
    entries = (await town.api("GET", f"/cards/{card['id']}/ledger"))["entries"]
    assert [(e["stamps"], e["balance"]) for e in entries] == [(1, 2), (1, 1)]


async def test_the_same_event_twice_is_one_stamp_and_one_answer(town):
    line = town.world.line
    hanako = line.add_person("花子")
    await town.follow(hanako)
    hook = await line.say(CHANNEL_ID, hanako, f"STAMP {await town.till_code()}")
    await line.wait_for_reply(CHANNEL_ID, hanako)
    lines = len(line.chats[CHANNEL_ID, hanako])

    again = await asyncio.gather(*(line.redeliver(hook) for _ in range(5)))

    assert {200} == {hook.status for hook in again}
    answer = await town.say(hanako, "カード")
    assert "10個中1個" in answer["altText"]
    # The question and its answer, and nothing for the repeats.
    assert lines + 2 == len(line.chats[CHANNEL_ID, hanako])


async def test_two_people_on_one_code_is_one_stamp_and_one_reason(town):
    line = town.world.line
    people = [line.add_person("花子"), line.add_person("太郎")]
    for person in people:
        await town.follow(person)
    code = await town.till_code()

    await asyncio.gather(*(town.say(p, f"STAMP {code}") for p in people))

    cards = [await town.card_of(person) for person in people]
    assert sorted(card["balance"] for card in cards) == [0, 1]
    [late] = [p for p, card in zip(people, cards, strict=True) if not card["balance"]]
    said = str([item.message for item in line.chats[CHANNEL_ID, late]][-2:])
    assert "使用済み" in said


def header(held):
    """The texts at the top right of a pass."""
    return [field["value"] for field in held.file.fields("header", "ja")]


async def save_to_google(town, card):
    """Tap "Add to Google Wallet": follow our redirect, and let Google save the pass."""
    path = urlsplit(card["add_to_wallet_url"]).path
    async with town.web.get(
        f"{town.url}{path}/google", allow_redirects=False
    ) as answer:
        assert answer.status == 302
        link = answer.headers["Location"]
    assert link.startswith("https://pay.google.com/gp/v/save/")
    return await town.world.google.save(link.rsplit("/", 1)[1])
