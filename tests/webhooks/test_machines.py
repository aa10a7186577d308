"""API keys and webhooks on the settings page, over real HTTP."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from sqlalchemy import select

from core.actions.apply import MerchantFile, apply_merchant
from core.actions.hooks import list_deliveries, list_hooks
from core.actions.keys import MAX_KEYS, list_api_keys, make_key
from core.actions.signin import merchant_of_key
from core.rules.hooks import EVENTS, MAX_HOOKS, signature
from core.store.tables import journal, metadata
from core.vault import hash_token
from tests.builders import build_shop
from tests.jobs.hook_house import consuming, office
from tests.webhooks.desk import Merchant, at_desk
from tests.webhooks.rooms import serve_rooms

PAGE = "/merchant/machines"
OWNER, MANAGER = "owner@aozora.jp", "manager@aozora.jp"


@asynccontextmanager
async def machines(db, settings, clock, who=OWNER):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(who)
        await desk.get(PAGE)
        yield desk


def secret_of(page):
    (found,) = re.findall(r'<code class="secret">([^<]+)</code>', page)
    return found


async def press(desk, path, **fields):
    """Send a form of the page."""
    form = [("csrf", desk.csrf)]
    for name, value in fields.items():
        many = value if isinstance(value, list | tuple) else [value]
        form += [(name, one) for one in many]
    return await desk.send(PAGE + path, form)


async def keys_of(db, shop):
    return await db.read(list_api_keys, shop.merchant.id)


async def hooks_of(db, shop):
    return await db.read(list_hooks, shop.merchant.id)


async def add(desk, url="https://8.8.8.8/hook", events=("card.issued",)):
    await press(desk, "/hooks", url=url, events=events)
    assert desk.status == 200, desk.page
    return secret_of(desk.page)


async def acts(db):
    rows = await db.read(lambda tx: tx.execute(select(journal)).all())
    return [row.action for row in rows if row.action.startswith(("hook.", "api_key."))]


# --- who may --------------------------------------------------------------------


@pytest.mark.parametrize("role", ["clerk", "viewer"])
async def test_clerks_and_viewers_see_nothing_of_it(db, settings, clock, shop, role):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(f"{role}@aozora.jp")
        await desk.get(PAGE)
        assert desk.status == 403
        await desk.get("/merchant/")
        assert PAGE not in desk.page


async def test_the_home_page_leads_there(db, settings, clock, shop):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(MANAGER)
        assert f'href="{PAGE}"' in desk.page
        assert "外部連携" in desk.page


async def test_a_manager_handles_webhooks_but_no_keys_and_no_secrets(
    db, settings, clock, shop
):
    async with machines(db, settings, clock) as desk:
        await add(desk)
    (hook,), (key,) = await hooks_of(db, shop), await keys_of(db, shop)
    async with machines(db, settings, clock, MANAGER) as desk:
        assert "管理者が行います" in desk.page
        for path, fields in (
            ("/keys", {"name": "x"}),
            (f"/keys/{key.id}/revoke", {}),
            ("/hooks", {"url": "https://8.8.4.4/", "events": "card.issued"}),
            (f"/hooks/{hook.id}/secret", {}),
        ):
            await desk.get(PAGE)
            await press(desk, path, **fields)
            assert desk.status == 403, path
        await desk.get(PAGE)
        await press(desk, f"/hooks/{hook.id}", do="events", events=["stamp.undone"])
        assert desk.status == 200
    assert [h.events for h in await hooks_of(db, shop)] == [("stamp.undone",)]
    assert [k.name for k in await keys_of(db, shop)] == ["pos"]


async def test_forms_without_the_token_of_the_session_do_nothing(
    db, settings, clock, shop
):
    async with machines(db, settings, clock) as desk:
        await desk.send(f"{PAGE}/keys", {"name": "forged"})
        assert desk.status == 403
        await desk.send(f"{PAGE}/hooks", {"url": "https://8.8.8.8/"})
        assert desk.status == 403
    assert len(await keys_of(db, shop)) == 1


async def test_another_merchants_things_are_not_there(db, settings, vault, clock, shop):
    other = await build_shop(db, vault, clock.now(), key="yamato", api_key="sk_other")
    async with machines(db, settings, clock, "owner@yamato.jp") as desk:
        await add(desk)
    (hook,), (key,) = await hooks_of(db, other), await keys_of(db, other)
    async with machines(db, settings, clock) as desk:
        assert "8.8.8.8" not in desk.page
        for path, fields in (
            (f"/keys/{key.id}/revoke", {}),
            (f"/hooks/{hook.id}", {"do": "remove"}),
            (f"/hooks/{hook.id}", {"do": "ping"}),
            (f"/hooks/{hook.id}", {"do": "events", "events": "card.issued"}),
            (f"/hooks/{hook.id}/secret", {}),
        ):
            await desk.get(PAGE)
            await press(desk, path, **fields)
            assert desk.status == 404, path
    assert await hooks_of(db, other) == [hook]
    assert await keys_of(db, other) == [key]


# --- keys -----------------------------------------------------------------------


async def test_a_key_is_shown_once_and_opens_the_api(db, settings, clock, shop):
    async with machines(db, settings, clock) as desk:
        await press(desk, "/keys", name="本店レジ")
        value = secret_of(desk.page)
        assert value.startswith("sk_")
        assert "今だけ" in desk.page
        await desk.get(PAGE)
        assert value not in desk.page
        assert "本店レジ" in desk.page
        headers = {"Authorization": f"Bearer {value}"}
        answer = await desk.client.get("/api/v1/cards?member_no=1", headers=headers)
        assert answer.status == 200


async def test_a_revoked_key_is_closed_at_once_and_its_name_is_free(
    db, settings, clock, shop
):
    async with machines(db, settings, clock) as desk:
        await press(desk, "/keys", name="x")
        old = secret_of(desk.page)
        key = next(k for k in await keys_of(db, shop) if k.name == "x")
        await press(desk, f"/keys/{key.id}/revoke")
        assert "取り消しました" in desk.page
        assert [k.name for k in await keys_of(db, shop)] == ["pos"]
        await press(desk, f"/keys/{key.id}/revoke")
        assert desk.status == 404

        await desk.get(PAGE)
        await press(desk, "/keys", name="x")
        new = secret_of(desk.page)
    assert await db.read(merchant_of_key, hash_token(old)) is None
    assert await db.read(merchant_of_key, hash_token(new)) == shop.merchant
    assert await acts(db) == ["api_key.made", "api_key.revoked", "api_key.made"]


async def test_the_merchant_file_does_not_bring_a_revoked_key_back(
    db, settings, clock, shop
):
    async with machines(db, settings, clock) as desk:
        (key,) = await keys_of(db, shop)
        await press(desk, f"/keys/{key.id}/revoke")
    file = MerchantFile(
        merchant={"key": "aozora", "name": "あおぞら珈琲"}, api_keys=("pos",)
    )
    applied = await db.write(
        apply_merchant, file, {"pos": hash_token("sk_again")}, clock.now()
    )

    assert applied.new_keys == frozenset()
    assert await db.read(merchant_of_key, hash_token("sk_again")) is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pos", "すでにあります"),
        ("", "入力してください"),
        ("x" * 65, "64文字以内"),
        ("a\x07b", "使えない文字"),
    ],
)
async def test_a_name_that_cannot_be_kept_says_why(
    db, settings, clock, shop, name, words
):
    async with machines(db, settings, clock) as desk:
        await press(desk, "/keys", name=name)
        assert desk.status == 422
        assert words in desk.page
        assert "sk_" not in desk.page
    assert len(await keys_of(db, shop)) == 1


async def test_there_is_an_end_to_keys(db, settings, clock, shop):
    for n in range(MAX_KEYS - 1):
        where = (shop.merchant.id, f"k{n}", f"hash{n}", shop.owner.id, clock.now())
        await db.write(make_key, *where)
    async with machines(db, settings, clock) as desk:
        await press(desk, "/keys", name="one more")
        assert desk.status == 422
        assert f"{MAX_KEYS}個まで" in desk.page


# --- webhooks -------------------------------------------------------------------


async def test_a_webhook_is_added_tested_and_shown_in_the_log(
    db, settings, vault, clock, shop
):
    plain = settings.model_copy(update={"public_url": "http://127.0.0.1"})
    async with (
        consuming() as consumer,
        office(db, plain, vault, clock, shop) as sending,
        machines(db, settings, clock) as desk,
    ):
        secret = await add(desk, consumer.url, EVENTS)
        assert secret.startswith("whsec_")
        (hook,) = await hooks_of(db, shop)
        assert hook.events == EVENTS
        await press(desk, f"/hooks/{hook.id}", do="ping")
        assert "テストを送信しました" in desk.page
        assert "送信待ち" in desk.page
        assert secret not in desk.page

        await sending.pump.drain()
        (taken,) = consumer.taken
        assert taken.body["type"] == "ping"
        assert taken.body["data"] == {}
        assert taken.headers["X-Stampcard-Signature"] == signature(
            secret, taken.raw.decode(), clock.now()
        )
        await desk.get(PAGE)
        assert "送信済み" in desk.page
        assert "応答 204" in desk.page

        (line,) = await db.read(list_deliveries, shop.merchant.id)
        await press(desk, f"/deliveries/{line.delivery.id}/resend")
        assert "もう一度送信しました" in desk.page
        await sending.pump.drain()
        assert [t.raw for t in consumer.taken] == [taken.raw, taken.raw]


async def test_what_failed_is_red_with_its_reason(db, settings, vault, clock, shop):
    plain = settings.model_copy(update={"public_url": "http://127.0.0.1"})
    async with (
        consuming() as consumer,
        office(db, plain, vault, clock, shop) as sending,
        machines(db, settings, clock) as desk,
    ):
        await add(desk, consumer.url)
        (hook,) = await hooks_of(db, shop)
        consumer.answers = [web.Response(status=500), web.Response(status=410)]
        await press(desk, f"/hooks/{hook.id}", do="ping")
        await sending.pump.drain()
        await desk.get(PAGE)
        assert "エラーを返しました" in desk.page
        assert 'class="state warn"' in desk.page
        assert 'class="state bad"' not in desk.page

        await press(desk, f"/hooks/{hook.id}", do="ping")
        await sending.pump.drain()
        await desk.get(PAGE)
        assert 'class="state bad"' in desk.page
        assert "もう使われていない" in desk.page
        assert "送信を止めました" in desk.page

        await press(desk, f"/hooks/{hook.id}", do="resume")
        assert "送信を再開しました" in desk.page
        assert "送信を止めました" not in desk.page


async def test_events_are_chosen_anew_and_none_is_refused(db, settings, clock, shop):
    async with machines(db, settings, clock) as desk:
        await add(desk)
        (hook,) = await hooks_of(db, shop)
        await press(
            desk,
            f"/hooks/{hook.id}",
            do="events",
            events=["voucher.issued", "stamp.granted"],
        )
        assert "保存しました" in desk.page
        for wrong in ([], ["ping"]):
            await press(desk, f"/hooks/{hook.id}", do="events", events=wrong)
            assert desk.status == 422
            assert "1つ以上選んでください" in desk.page
        await press(desk, f"/hooks/{hook.id}", do="nonsense")
        assert desk.status == 400
    (hook,) = await hooks_of(db, shop)
    assert hook.events == ("stamp.granted", "voucher.issued")


async def test_a_secret_is_rolled_and_a_webhook_removed(db, settings, clock, shop):
    async with machines(db, settings, clock) as desk:
        old = await add(desk)
        (hook,) = await hooks_of(db, shop)
        await press(desk, f"/hooks/{hook.id}/secret")
        new = secret_of(desk.page)
        assert new != old
        (rolled,) = await hooks_of(db, shop)
        assert rolled.sealed_secret != hook.sealed_secret

        await press(desk, f"/hooks/{hook.id}", do="remove")
        assert "削除しました" in desk.page
        assert await hooks_of(db, shop) == []
    assert await acts(db) == ["hook.added", "hook.secret_rolled", "hook.removed"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://8.8.8.8/hook", "https:// で始まる"),
        ("https://127.0.0.1/hook", "社内や自分の機器"),
        ("https://[::ffff:10.0.0.1]/hook", "社内や自分の機器"),
        ("https://localhost/hook", "社内や自分の機器"),
        ("https://nobody.invalid/hook", "見つかりません"),
        ("hook", "URLを正しく"),
        ("", "URLを正しく"),
    ],
)
async def test_a_public_service_keeps_public_https_addresses_only(
    db, settings, clock, shop, url, words
):
    async with serve_rooms(db, settings, clock) as client:
        desk = Merchant(client)
        await desk.sign_in(OWNER)
        await desk.get(PAGE)
        await press(desk, "/hooks", url=url, events="card.issued")
        assert desk.status == 422
        assert words in desk.page
        assert f'value="{url}"' in desk.page
        await press(desk, "/hooks", url="https://8.8.8.8/hook", events="card.issued")
        assert desk.status == 200
    assert [hook.url for hook in await hooks_of(db, shop)] == ["https://8.8.8.8/hook"]


async def test_there_is_an_end_to_webhooks_and_none_is_there_twice(
    db, settings, clock, shop
):
    async with machines(db, settings, clock) as desk:
        for n in range(MAX_HOOKS):
            await add(desk, f"https://8.8.8.8/{n}")
            if n == 0:
                await press(
                    desk, "/hooks", url="https://8.8.8.8/0", events="card.issued"
                )
                assert desk.status == 422
                assert "すでに登録されています" in desk.page
        assert 'name="url"' not in desk.page
        await press(desk, "/hooks", url="https://8.8.8.8/x", events="card.issued")
        assert desk.status == 422
    assert len(await hooks_of(db, shop)) == MAX_HOOKS


async def test_the_page_speaks_english_too(db, settings, clock, shop):
    async with machines(db, settings, clock) as desk:
        await add(desk)
        await desk.send(
            "/merchant/language", {"csrf": desk.csrf, "language": "en", "next": PAGE}
        )
        for words in ("API and webhooks", "Send a test", "Deliveries", "Card issued"):
            assert words in desk.page


async def test_no_secret_is_kept_or_logged_in_the_clear(
    db, settings, clock, shop, capsys
):
    async with machines(db, settings, clock) as desk:
        secret = await add(desk)
        await press(desk, "/keys", name="x")
        value = secret_of(desk.page)

    def everything(tx):
        tables = metadata.sorted_tables
        return "".join(repr(tx.execute(select(table)).all()) for table in tables)

    kept = await db.read(everything) + "".join(capsys.readouterr())
    for word in (secret, value):
        assert word not in kept


async def test_a_page_with_a_secret_is_neither_packed_nor_kept(
    db, settings, clock, shop
):
    async with machines(db, settings, clock) as desk:
        answer = await desk.get(PAGE)
        assert "Content-Encoding" in answer.headers
        answer = await press(desk, "/keys", name="x")
        assert "Content-Encoding" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"
