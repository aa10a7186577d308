"""Connecting LINE on the settings page, over real HTTP, against a LINE of our own."""

from __future__ import annotations

import base64
import re
from io import BytesIO

import pytest
from PIL import Image
from sqlalchemy import select

from core.actions.channels import LINE_SECRET, line_channel
from core.store.tables import line_channel as line_channel_table
from core.store.tables import metadata
from jobs.demo.line_webhook import envelope, signature
from tests.builders import CHANNEL_SECRET, build_shop
from tests.webhooks.line_desk import (
    CHANNEL,
    NEW_SECRET,
    PAGE,
    acts,
    at_line_desk,
    forget_channel,
)


@pytest.fixture
async def unconnected(db, shop):
    """あおぞら珈琲 before it came to LINE."""
    await forget_channel(db)
    return shop


def row(page, name):
    """One line of the checklist, without its markup."""
    found = re.search(rf'<li id="check-{name}">(.*?)</li>', page, re.DOTALL)
    assert found, name
    return re.sub(r"<[^>]+>|\s+", " ", found[1])


async def kept(db, shop):
    return await db.read(line_channel, shop.merchant.id)


# --- who may ----------------------------------------------------------------------


@pytest.mark.parametrize("who", ["manager", "viewer", "clerk"])
async def test_only_the_owner_sees_and_changes_the_connection(
    db, settings, vault, clock, shop, who
):
    async with at_line_desk(db, settings, vault, clock, f"{who}@aozora.jp") as at:
        assert at.desk.status == 403 or at.desk.path != PAGE
        await at.desk.get("/merchant/")
        assert f'href="{PAGE}"' not in at.desk.page
        for path in ("", "/webhook", "/menu", "/ticks"):
            form = {"channel_id": "99999", "secret": NEW_SECRET, "what": "greeting"}
            await at.press(path, **form)
            assert at.desk.status == 403
        assert at.line.world.calls == []
    assert (await kept(db, shop)).channel_id == CHANNEL


async def test_without_the_token_of_the_page_nothing_is_changed(
    db, settings, vault, clock, unconnected
):
    async with at_line_desk(db, settings, vault, clock) as at:
        for path in ("", "/webhook", "/menu", "/ticks"):
            form = {"channel_id": CHANNEL, "secret": CHANNEL_SECRET, "csrf": "x"}
            await at.desk.send(PAGE + path, form)
            assert at.desk.status == 403
        assert at.line.world.calls == []
    assert await kept(db, unconnected) is None


async def test_the_first_page_leads_the_owner_here(db, settings, vault, clock, shop):
    async with at_line_desk(db, settings, vault, clock) as at:
        await at.desk.get("/merchant/")
        assert f'href="{PAGE}"' in at.desk.page


# --- connecting -------------------------------------------------------------------


async def test_id_and_secret_are_enough(db, settings, vault, clock, unconnected):
    async with at_line_desk(db, settings, vault, clock) as at:
        assert 'name="secret"' in at.desk.page
        await at.connect()
        assert at.desk.status == 200, at.desk.page
        assert at.channel.webhook_url == at.url
        # LINE called it, signed, and was answered.
        assert [hook.status for hook in at.line.world.webhooks] == [200]
        assert "接続しました" in at.desk.page
        assert "あおぞら珈琲 本店" in at.desk.page
        for name in ("secret", "webhook", "use", "test"):
            assert "OK" in row(at.desk.page, name), name
        assert "設定中" in row(at.desk.page, "menu")

        await at.pump.drain()
        await at.desk.get(PAGE)
        assert "OK" in row(at.desk.page, "menu")
        assert at.channel.default_menu is not None
    channel = await kept(db, unconnected)
    assert (channel.channel_id, channel.basic_id) == (CHANNEL, "@aozora")
    assert channel.name == "あおぞら珈琲 本店"
    assert vault.open(channel.sealed_secret, unconnected.merchant.id, LINE_SECRET) == (
        CHANNEL_SECRET
    )
    assert channel.sealed_previous_secret is None
    assert await acts(db) == ["line.connected", "line.menu_put_up"]


async def test_the_accounts_picture_is_shown_from_a_copy_of_ours(
    db, settings, vault, clock, unconnected
):
    stream = BytesIO()
    Image.new("RGB", (300, 200), "#C0662B").save(stream, "JPEG")
    async with at_line_desk(db, settings, vault, clock) as at:
        at.channel.picture = stream.getvalue()
        await at.connect()
        (shown,) = re.findall(r'src="data:image/png;base64,([^"]+)"', at.desk.page)
        assert Image.open(BytesIO(base64.b64decode(shown))).size == (112, 112)
        at.line.down = True
        await at.desk.get(PAGE)
        assert shown in at.desk.page


@pytest.mark.parametrize("content", [b"no picture", b"x" * 2_000_000])
async def test_an_account_whose_picture_is_odd_is_connected_without(
    db, settings, vault, clock, unconnected, content
):
    async with at_line_desk(db, settings, vault, clock) as at:
        at.channel.picture = content
        await at.connect()
        assert at.desk.status == 200
        assert "data:image/png" not in at.desk.page


async def test_a_wrong_secret_is_told_and_nothing_is_kept(
    db, settings, vault, clock, unconnected
):
    async with at_line_desk(db, settings, vault, clock) as at:
        await at.connect(secret=NEW_SECRET)
        assert at.desk.status == 422
        assert "組み合わせを受け付けません" in at.desk.page
        assert f'value="{CHANNEL}"' in at.desk.page
        assert NEW_SECRET not in at.desk.page
        assert at.channel.webhook_url == ""
    assert await kept(db, unconnected) is None
    assert await acts(db) == []


async def test_a_wrong_secret_leaves_the_connection_as_it_was(
    db, settings, vault, clock, shop
):
    before = await kept(db, shop)
    async with at_line_desk(db, settings, vault, clock) as at:
        await at.connect(secret=NEW_SECRET)
        assert at.desk.status == 422
    assert await kept(db, shop) == before


@pytest.mark.parametrize(
    ("channel_id", "secret", "words"),
    [
        ("", CHANNEL_SECRET, "数字だけ"),
        ("@aozora", CHANNEL_SECRET, "数字だけ"),
        ("１２３４５６７", CHANNEL_SECRET, "数字だけ"),
        (CHANNEL, "", "32文字の英数字"),
        (CHANNEL, "a b" * 9, "32文字の英数字"),
        (CHANNEL, "秘密" * 10, "32文字の英数字"),
    ],
)
async def test_what_cannot_be_an_id_or_secret_is_not_asked_of_line(
    db, settings, vault, clock, unconnected, channel_id, secret, words
):
    async with at_line_desk(db, settings, vault, clock) as at:
        await at.connect(secret, channel_id)
        assert at.desk.status == 422
        assert words in at.desk.page
        assert at.line.world.calls == []


async def test_a_line_that_is_away_is_no_wrong_secret(
    db, settings, vault, clock, unconnected
):
    async with at_line_desk(db, settings, vault, clock) as at:
        at.line.down = True
        await at.connect()
        assert at.desk.status == 422
        assert "確認できませんでした" in at.desk.page
        assert "受け付けません" not in at.desk.page
    assert await kept(db, unconnected) is None


async def test_the_channel_of_another_shop_is_not_taken(
    db, settings, vault, clock, unconnected
):
    await build_shop(db, vault, clock.now(), key="minato", api_key="sk_another")
    async with at_line_desk(db, settings, vault, clock) as at:
        await at.connect()
        assert at.desk.status == 422
        assert "別のお店" in at.desk.page
        assert at.channel.webhook_url == ""
    assert await kept(db, unconnected) is None


async def test_an_address_that_line_does_not_take_is_told_and_tried_again(
    db, settings, vault, clock, unconnected
):
    async with at_line_desk(db, settings, vault, clock) as at:
        at.line.fail_next("/v2/bot/channel/webhook/endpoint", 400)
        await at.connect()
        assert "公開アドレス" in row(at.desk.page, "test")
        assert "まだ設定されていません" in row(at.desk.page, "webhook")
        await at.press("/webhook")
        assert at.channel.webhook_url == at.url
        assert "正しく答えました" in row(at.desk.page, "test")


async def test_a_test_call_that_failed_says_how(
    db, settings, vault, clock, unconnected
):
    async with at_line_desk(db, settings, vault, clock) as at:
        await at.connect()
        # LINE signs with a secret that was reissued and not entered yet.
        at.channel.secret = NEW_SECRET
        await at.press("/webhook")
        assert "応答 401" in row(at.desk.page, "test")
        assert "要確認" in row(at.desk.page, "test")
        at.line.down = True
        await at.press("/webhook")
        assert "頼めませんでした" in row(at.desk.page, "test")


# --- a reissued secret ------------------------------------------------------------


async def test_a_reissued_secret_is_taken_beside_the_old_one(
    db, settings, vault, clock, unconnected
):
    async with at_line_desk(db, settings, vault, clock) as at:
        await at.connect()
        body = envelope(at.channel.bot_user_id, [])

        async def taken(secret):
            headers = {"x-line-signature": signature(secret, body)}
            answer = await at.desk.client.post(
                "/line/aozora", data=body, headers=headers
            )
            return answer.status

        assert [await taken(s) for s in (CHANNEL_SECRET, NEW_SECRET)] == [200, 401]
        at.channel.secret = NEW_SECRET
        at.line.forget_access_tokens()
        await at.desk.get(PAGE)
        assert "シークレットを受け付けません" in row(at.desk.page, "secret")

        await at.connect(secret=NEW_SECRET)
        assert at.desk.status == 200
        assert "OK" in row(at.desk.page, "secret")
        assert [await taken(s) for s in (CHANNEL_SECRET, NEW_SECRET)] == [200, 200]
        # The same once more does not push the old one out.
        await at.connect(secret=NEW_SECRET)
        assert [await taken(s) for s in (CHANNEL_SECRET, NEW_SECRET)] == [200, 200]
        assert await taken("f" * 32) == 401
    assert await acts(db) == ["line.connected", "line.secret_changed", "line.checked"]


async def test_another_channel_begins_anew(db, settings, vault, clock, unconnected):
    async with at_line_desk(db, settings, vault, clock) as at:
        await at.connect()
        await at.pump.drain()
        await at.press("/ticks", what="greeting", do="tick")
        other = at.line.add_channel("7777777777", NEW_SECRET, "@other", f"U{'1' * 32}")
        await at.connect(NEW_SECRET, "7777777777")
        assert at.desk.status == 200
        assert "未確認" in row(at.desk.page, "greeting")
        assert "設定中" in row(at.desk.page, "menu")
        assert other.webhook_url == at.url
        await at.pump.drain()
        assert other.default_menu is not None
    channel = await kept(db, unconnected)
    assert channel.basic_id == "@other"
    assert channel.sealed_previous_secret is None


async def test_a_secret_that_cannot_be_opened_any_more_is_entered_anew(
    db, settings, vault, clock, unconnected
):
    async with at_line_desk(db, settings, vault, clock) as at:
        await at.connect()
        lost = line_channel_table.update().values(sealed_secret="v1.lost")
        await db.write(lambda tx: tx.execute(lost) and None)
        await at.press("/webhook")
        assert at.desk.status == 200
        assert "要確認" in row(at.desk.page, "secret")
        await at.connect()
        assert "OK" in row(at.desk.page, "test")
    channel = await kept(db, unconnected)
    # What no key opens must not stand in the way of every webhook.
    assert channel.sealed_previous_secret is None


# --- the checklist ----------------------------------------------------------------


async def test_the_checklist_shows_what_line_says_now(db, settings, vault, clock, shop):
    async with at_line_desk(db, settings, vault, clock) as at:
        assert "まだ設定されていません" in row(at.desk.page, "webhook")
        at.channel.webhook_url = "https://elsewhere.example/hook"
        at.channel.uses_webhook = False
        at.channel.chat_mode = "chat"
        await at.desk.get(PAGE)
        assert "https://elsewhere.example/hook" in row(at.desk.page, "webhook")
        assert "オフです" in row(at.desk.page, "use")
        assert "まだ試していません" in row(at.desk.page, "test")
        assert "お店の人が返信" in at.desk.page

        at.line.down = True
        await at.desk.get(PAGE)
        assert at.desk.status == 200
        for name in ("secret", "webhook", "use"):
            assert "不明" in row(at.desk.page, name)


async def test_a_slow_line_does_not_hold_up_the_page(
    db, settings, vault, clock, shop, monkeypatch
):
    monkeypatch.setattr("bot.onboarding._LOOK_SECONDS", 0.2)
    async with at_line_desk(db, settings, vault, clock) as at:
        at.line.slow(5, "/v2/bot/info")
        await at.desk.get(PAGE)
        assert "不明" in row(at.desk.page, "secret")


async def test_what_line_has_no_word_for_is_ticked_by_hand(
    db, settings, vault, clock, shop
):
    async with at_line_desk(db, settings, vault, clock) as at:
        for what in ("redelivery", "greeting", "auto_reply"):
            assert "未確認" in row(at.desk.page, what)
            await at.press("/ticks", what=what, do="tick")
            assert "記録しました" in at.desk.page
            assert "済み" in row(at.desk.page, what)
        await at.press("/ticks", what="greeting", do="untick")
        assert "未確認" in row(at.desk.page, "greeting")
        assert "未確認" not in row(at.desk.page, "redelivery")
        await at.press("/ticks", what="nonsense", do="tick")
        assert at.desk.status == 400
    assert await acts(db) == 3 * ["line.ticked"] + ["line.unticked"]


async def test_ticks_and_tests_need_a_channel(db, settings, vault, clock, unconnected):
    async with at_line_desk(db, settings, vault, clock) as at:
        for path in ("/webhook", "/menu"):
            await at.press(path)
            assert at.desk.status == 404
        await at.press("/ticks", what="greeting", do="tick")
        assert at.desk.status == 404


async def test_a_menu_that_failed_is_asked_for_again(
    db, settings, vault, clock, unconnected
):
    async with at_line_desk(db, settings, vault, clock) as at:
        await at.connect()
        at.line.fail_next("/v2/bot/richmenu", 400, times=9)
        await at.pump.drain()
        await at.desk.get(PAGE)
        assert "要確認" in row(at.desk.page, "menu")
        at.line.world.faults.clear()
        await at.press("/menu")
        assert "設定中" in row(at.desk.page, "menu")
        await at.pump.drain()
        await at.desk.get(PAGE)
        assert "OK" in row(at.desk.page, "menu")


# --- what must not be seen --------------------------------------------------------


async def test_no_secret_is_shown_kept_or_logged_in_the_clear(
    db, settings, vault, clock, unconnected, capsys
):
    async with at_line_desk(db, settings, vault, clock) as at:
        await at.connect()
        assert CHANNEL_SECRET not in at.desk.page
        at.channel.secret = NEW_SECRET
        await at.connect(secret=NEW_SECRET)
        await at.desk.get(PAGE)
        assert NEW_SECRET not in at.desk.page

    def everything(tx):
        tables = metadata.sorted_tables
        return "".join(repr(tx.execute(select(table)).all()) for table in tables)

    seen = await db.read(everything) + "".join(capsys.readouterr())
    for secret in (CHANNEL_SECRET, NEW_SECRET):
        assert secret not in seen


async def test_the_page_speaks_english_too(db, settings, vault, clock, shop):
    async with at_line_desk(db, settings, vault, clock) as at:
        form = {"csrf": at.desk.csrf, "language": "en", "next": PAGE}
        await at.desk.send("/merchant/language", form)
        for words in ("Checklist", "Webhook redelivery", "Connected account"):
            assert words in at.desk.page
        await at.connect(secret=NEW_SECRET)
        assert "does not take this ID and secret" in at.desk.page
