"""Feature 15: a card from the poster joins the one in LINE, and comes back apart.

The customer's part goes over HTTP as a phone does it: the poster, one tap into Apple
Wallet, the code, the chat, and the page that takes the cards apart again.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.bot.line_house import texts_in
from tests.bot.taps import taps_in
from tests.stories.conftest import CHANNEL_ID, until
from tests.stories.test_one_stamp import header
from tests.webhooks.rooms import field
from tests.webhooks.test_phones import AGENTS


@pytest.fixture
async def safari(town):
    """The browser of an iPhone."""
    agent = {"User-Agent": AGENTS["iPhone Safari"][0], "Accept-Language": "ja"}
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(town.url, headers=agent, cookie_jar=jar) as web:
        yield web


async def test_a_wallet_card_joins_line_and_leaves_it_again(town, safari):
    line, phone, google = town.world.line, town.world.phone, town.world.google

    # From the poster into the wallet, in one tap. A second tap is the same card.
    poster = await read(safari, "/j/aozora/coffee")
    form = {"token": field(poster, "token"), "to": "apple"}
    page, opened = await send(safari, "/j/aozora/coffee", form)
    _, again = await send(safari, "/j/aozora/coffee", form)
    assert number_on(again) == number_on(opened)
    serial = await phone.add(f"{town.url}{on_into(opened, '.pkpass')}")
    found = await town.api("GET", f"/cards?member_no={number_on(opened)}")
    [mine] = found["cards"]
    await town.api("POST", f"/cards/{mine['id']}/stamps", {"n": 3, "shop": "main"})
    await until(lambda: at_apple(phone, serial) == "3/10")

    # The same person is a friend in LINE, with four stamps and the card at Google.
    hanako = line.add_person("花子")
    await town.follow(hanako)
    await town.say(hanako, f"STAMP {await town.till_code(4)}")
    there = await town.card_of(hanako)
    link = urlsplit(there["add_to_wallet_url"]).path
    async with town.web.get(
        f"{town.url}{link}/google", allow_redirects=False
    ) as answer:
        object_id = await google.save(answer.headers["Location"].rsplit("/", 1)[1])

    # The page shows a code; the chat shows the sum first; the button does it.
    _, shown = await send(safari, f"{page}/link", {})
    code = re.search(r'class="words">([^<]+)<', shown)[1]
    asked = await town.say(hanako, code)
    assert "いまの4個 + もう1枚の3個 → 7個" in "".join(texts_in(asked))
    assert (await town.card_of(hanako))["balance"] == 4
    [button] = taps_in(asked, "link")
    await line.postback(CHANNEL_ID, hanako, button["data"], display_text="x")
    [done, *_] = await line.wait_for_reply(CHANNEL_ID, hanako)
    assert "カードをひとつにまとめました" in str(done.message)

    # Both passes show the sum, and so does the page, which says until when.
    await until(lambda: at_apple(phone, serial) == "7/10")
    await until(lambda: at_google(google, object_id) == "7/10")
    linked = await read(safari, page)
    assert "まで元に戻せます" in linked
    # A stamp on either pass is on both.
    await town.say(hanako, f"STAMP {await town.till_code()}")
    await until(lambda: at_apple(phone, serial) == "8/10")

    # What will happen is said first; one press; each has what they had.
    way = re.search(rf'href="({re.escape(page)}/unlink[^"]*)"', linked)[1]
    ahead = await read(safari, way.replace("&amp;", "&"))
    assert "8個 → 5個" in ahead
    form = {name: field(ahead, name) for name in ("csrf", "key", "link")}
    where, apart = await send(safari, f"{page}/unlink", form)
    assert where == page
    assert "カードを元に戻しました" in apart
    assert "<b>3</b>" in apart

    # The stamp since then stays with LINE; both passes are as before.
    await until(lambda: at_apple(phone, serial) == "3/10")
    await until(lambda: at_google(google, object_id) == "5/10")
    assert (await town.card_of(hanako))["balance"] == 5
    last = await town.say(hanako, "連携解除")
    assert "元に戻せる連携はありません" in str(last)
    # And they can go on apart: a stamp here is not one there.
    await town.api("POST", f"/cards/{mine['id']}/stamps", {"n": 1, "shop": "main"})
    await until(lambda: at_apple(phone, serial) == "4/10")
    assert at_google(google, object_id) == "5/10"
    assert phone.problems == []


async def test_a_new_phone_gets_the_same_pass_from_the_chat_and_from_its_link(town):
    line, phone = town.world.line, town.world.phone
    hanako = line.add_person("花子")
    await town.follow(hanako)
    card = await town.card_of(hanako)
    serial = await phone.add(f"{card['add_to_wallet_url']}.pkpass")

    # Weeks later on a new phone: 「カード」, and its wallet button.
    link = urlsplit((await town.card_of(hanako))["add_to_wallet_url"]).path
    again = await phone.add(f"{town.url}{link}.pkpass")
    assert again == serial
    # Or the link on the back of the pass, which the old phone still has.
    [back] = [
        entry["value"]
        for entry in phone.passes[serial].file.fields("back", "ja")
        if entry["key"] == "page"
    ]
    assert await phone.add(f"{town.url}{urlsplit(back).path}.pkpass") == serial


async def read(web, path):
    async with web.get(path) as answer:
        text = await answer.text()
        assert answer.status == 200, text
        return text


async def send(web, path, form):
    """Send a form; the path that it led to, and the page there."""
    async with web.post(path, data=form) as answer:
        text = await answer.text()
        assert answer.status == 200, text
        return answer.url.path, text


def on_into(page, end):
    """Where the page goes on by itself."""
    way = re.search(r'data-add="([^"]*)"', page)[1]
    assert way.endswith(end)
    return way


def number_on(page):
    """The member number on the card's page."""
    return re.search(r"\d{4}-\d{4}", page)[0]


def at_apple(phone, serial):
    [shown] = header(phone.passes[serial])
    return shown


def at_google(google, object_id):
    return google.objects[object_id]["loyaltyPoints"]["balance"]["string"]
