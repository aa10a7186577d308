"""Features 1 and 12: a card without a form, by words and by taps, and into wallets.

The whole service runs here, and everything goes over HTTP.
"""

from __future__ import annotations

from typing import Any

from jobs.demo.line_menus import menu_for
from tests.bot.line_house import texts_in
from tests.bot.taps import link_in
from tests.stories.conftest import CHANNEL_ID, until

WORDS = {
    "カード": "10個中0個",
    "スタンプ": "10個中0個",
    "特典": "いま使える特典はありません",
    "履歴": "履歴",
    "会員証": "会員番号",
    "ヘルプ": "送れることば",
    "退会": "本当に退会しますか？",
    "card": "10個中0個",
    "rewards": "いま使える特典はありません",
    "history": "履歴",
    "member card": "会員番号",
    "help": "送れることば",
    "unsubscribe": "本当に退会しますか？",
}


async def test_a_new_friend_has_a_card_and_everything_by_words_or_by_taps(town):
    line = town.world.line
    hanako = line.add_person("花子")

    # No form, no question: the answer to the friendship is the card.
    welcome = await town.follow(hanako)
    assert "友だち追加ありがとうございます" in welcome["altText"]
    assert "10個中0個" in welcome["altText"]

    # LINE on a computer has no rich menu: everything answers to words.
    for words, seen in WORDS.items():
        assert seen in shown(await town.say(hanako, words)), words

    # And on phones to taps on the menu, which is up by itself.
    channel = line.world.channel(CHANNEL_ID)
    menu = await until(lambda: menu_for(channel, hanako))
    taps = [area["action"] for area in menu.body["areas"]]
    assert len(taps) == 4
    for tap in taps:
        await line.postback(
            CHANNEL_ID, hanako, tap["data"], display_text=tap["displayText"]
        )
        [answer, *_] = await line.wait_for_reply(CHANNEL_ID, hanako)
        said = await town.say(hanako, tap["displayText"])
        assert shown(answer.message) == shown(said)


async def test_the_card_goes_from_the_chat_into_both_wallets_and_stays_one(town):
    hanako = town.world.line.add_person("花子")
    card = await town.follow(hanako)
    link = link_in(card, "/w/")
    # Out of LINE's own browser, which hands no pass to the phone.
    page, outside = link.split("?")
    assert outside == "openExternalBrowser=1"
    assert len(link) <= 1000

    async with town.web.get(page) as answer:
        assert answer.status == 200
    phone, google = town.world.phone, town.world.google
    serial = await phone.add(f"{page}.pkpass")
    async with town.web.get(f"{page}/google", allow_redirects=False) as answer:
        name = await google.save(answer.headers["Location"].rsplit("/", 1)[1])

    await town.say(hanako, f"STAMP {await town.till_code(3)}")
    await phone.wait_for_update(serial)
    await until(
        lambda: google.objects[name]["loyaltyPoints"]["balance"]["string"] == "3/10"
    )
    [balance] = [
        field["value"] for field in phone.passes[serial].file.fields("header", "ja")
    ]
    assert balance == "3/10"
    # The same card, not three: whoever scans the pass stamps what the chat shows.
    [only] = (await town.api("GET", f"/cards?line_user_id={hanako}"))["cards"]
    assert only["balance"] == 3
    assert only["add_to_wallet_url"].startswith(page.rsplit("/", 1)[0])


def shown(message: dict[str, Any]) -> str:
    return "\n".join([*texts_in(message), message.get("altText", "")])
