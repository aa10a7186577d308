"""Connecting Apple Wallet on the settings page, over real HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from core.actions.channels import APPLE_KEY, apple_credentials
from core.actions.passes import register_device
from core.store.outbox import announce, deliver_failed, take_deliveries
from core.store.tables import apple_request, metadata, outbox
from tests.passes.apple_chain import (
    PASS_TYPE,
    TEAM,
    chain,
    connect_apple,
    openssl,
    pems,
    signer,
)
from tests.passes.openssl_apple import openssl_apple
from tests.passes.test_apple_issuer import new_pass
from tests.webhooks.wallet_desk import PAGE, acts, at_wallets


@pytest.fixture
def today(clock):
    """What openssl signs begins now, by the machine's own clock."""
    clock.at = datetime.now(UTC) + timedelta(minutes=1)
    return clock


def own_files() -> dict[str, bytes]:
    found = {name: text.encode() for name, text in pems(chain()).items()}
    return {name.removesuffix("_pem"): content for name, content in found.items()}


async def kept(db, shop):
    return await db.read(apple_credentials, shop.merchant.id)


async def held_on_a_phone(db, shop, clock):
    """One customer has the card in Apple Wallet."""
    held = (await new_pass(shop, clock)).held
    await db.write(register_device, held.id, "device-1", "ab" * 32, clock.now())
    return held


# --- who may ----------------------------------------------------------------------


async def test_the_manager_sees_and_tests_and_changes_nothing(
    db, settings, vault, clock, shop
):
    await connect_apple(shop, vault, clock.now())
    async with at_wallets(db, settings, clock, "manager@aozora.jp") as at:
        assert PASS_TYPE in at.desk.page
        assert "変更は管理者が" in at.desk.page
        await at.press("/apple/test")
        assert "プッシュ通知も証明書を受け付けました" in at.part("trial-apple")
        before = await kept(db, shop)
        for path in ("/apple", "/apple/remove", "/apple/request", "/google"):
            await at.upload(path, **own_files())
            assert at.desk.status == 403
        await at.desk.get(f"{PAGE}/apple/request")
        assert at.desk.status == 403
    assert await kept(db, shop) == before


@pytest.mark.parametrize("who", ["viewer", "clerk"])
async def test_nobody_else_gets_here(db, settings, vault, clock, shop, who):
    await connect_apple(shop, vault, clock.now())
    async with at_wallets(db, settings, clock, f"{who}@aozora.jp") as at:
        assert at.desk.status == 403 or at.desk.path != PAGE
        await at.desk.get("/merchant/")
        assert f'href="{PAGE}"' not in at.desk.page
        await at.press("/apple/test")
        assert at.desk.status == 403
        assert at.apns.pushes == []


async def test_without_the_token_of_the_page_nothing_is_changed(
    db, settings, vault, clock, shop
):
    await connect_apple(shop, vault, clock.now())
    before = await kept(db, shop)
    async with at_wallets(db, settings, clock) as at:
        for path in ("", "/test", "/remove", "/request"):
            await at.desk.send(f"{PAGE}/apple{path}", {"csrf": "x"})
            assert at.desk.status == 403
        assert at.apns.pushes == []
    assert await kept(db, shop) == before


# --- from the request to the certificate ------------------------------------------


async def test_a_request_made_here_becomes_a_connection(
    db, settings, vault, today, shop, tmp_path
):
    apple = openssl_apple()
    async with at_wallets(db, settings, today) as at:
        await at.desk.get("/merchant/")
        assert f'href="{PAGE}"' in at.desk.page
        await at.desk.get(PAGE)
        assert "未接続" in at.part("h-apple")
        request = await at.request()
        file = tmp_path / "asked"
        file.write_bytes(request)
        found = openssl("req", "-in", file, "-verify", "-noout", "-text")
        assert found.returncode == 0
        assert b"2048 bit" in found.stdout
        # Asking again gives the same one: Apple may be about to answer it.
        assert await at.request() == request

        certificate = apple.answer(request)
        await at.upload("/apple", certificate=certificate)
        # The only thing that is missing is the intermediate, which is named.
        assert list(at.problems()) == ["wwdr"]
        assert "G4" in at.problems()["wwdr"]
        assert await kept(db, shop) is None

        await at.upload("/apple", certificate=certificate, wwdr=apple.wwdr_der)
        assert at.desk.status == 200, at.problems()
        for words in (PASS_TYPE, TEAM, "残り394日", "G4"):
            assert words in at.desk.page
        assert "プッシュ通知も証明書を受け付けました" in at.part("trial-apple")
        (push,) = at.apns.pushes
        assert push.headers["apns-topic"] == PASS_TYPE
        assert push.peer == f"Pass Type ID: {PASS_TYPE}"

        # A year later: the same request again, and the intermediate is known.
        await at.upload("/apple", certificate=apple.answer(request, days=700))
        assert at.desk.status == 200, at.problems()
        assert "残り699日" in at.desk.page
    entered = await kept(db, shop)
    assert (entered.pass_type_id, entered.team_id) == (PASS_TYPE, TEAM)
    assert "PRIVATE KEY" in vault.open(entered.sealed_key, shop.merchant.id, APPLE_KEY)
    assert await db.read(lambda tx: tx.execute(select(apple_request)).all()) == []
    assert await acts(db) == [
        "apple.requested",
        "apple.connected",
        "apple.tested",
        "apple.renewed",
        "apple.tested",
    ]


async def test_another_request_makes_the_one_before_worthless(
    db, settings, vault, today, shop
):
    apple = openssl_apple()
    async with at_wallets(db, settings, today) as at:
        first = await at.request()
        await at.press("/apple/request", do="anew")
        second = await at.request()
        assert first != second
        old, new = (apple.answer(each) for each in (first, second))
        await at.upload("/apple", certificate=old, wwdr=apple.wwdr_der)
        assert "秘密鍵がここにありません" in at.problems()["key"]
        await at.upload("/apple", certificate=new, wwdr=apple.wwdr_der)
        assert at.desk.status == 200, at.problems()
    assert await kept(db, shop) is not None


@pytest.mark.parametrize("options", [(), ("-legacy",)])
async def test_a_pair_made_elsewhere_comes_in_one_file_with_its_password(
    db, settings, today, shop, options
):
    apple = openssl_apple()
    whole = apple.p12(*apple.pair(), *options)
    async with at_wallets(db, settings, today) as at:
        await at.upload("/apple", certificate=whole)
        assert list(at.problems()) == ["password"]
        assert "必要" in at.problems()["password"]
        await at.upload("/apple", certificate=whole, password="chigau")
        assert at.problems() == {"password": "パスワードが違います。"}
        await at.upload("/apple", certificate=whole, password="himitsu")
        assert at.desk.status == 200, at.problems()
        assert "受け付けました" in at.part("trial-apple")
        assert "himitsu" not in at.desk.page
    assert await kept(db, shop) is not None


async def test_a_pair_as_pem_with_a_locked_key_and_all_in_one_file(
    db, settings, today, shop
):
    apple = openssl_apple()
    key, certificate = apple.pair()
    locked, wwdr = apple.locked(key), (apple.folder / "wwdr.pem").read_bytes()
    async with at_wallets(db, settings, today) as at:
        files = {"certificate": certificate, "key": locked, "wwdr": wwdr}
        await at.upload("/apple", **files)
        assert list(at.problems()) == ["password"]
        await at.upload("/apple", **files, password="himitsu")
        assert at.desk.status == 200, at.problems()
        # The same once more, all in one file and a password that nothing asks for.
        together = certificate + key + wwdr
        await at.upload("/apple", certificate=together, password="himitsu")
        assert at.desk.status == 200, at.problems()
    assert (await acts(db))[-2:] == ["apple.checked", "apple.tested"]


# --- passes that are out there ----------------------------------------------------


async def test_another_pass_type_needs_a_tick_where_passes_are_out_there(
    db, settings, vault, today, shop
):
    await connect_apple(shop, vault, today.now())
    await held_on_a_phone(db, shop, today)
    before = await kept(db, shop)
    apple = openssl_apple()
    async with at_wallets(db, settings, today) as at:
        other = "pass.jp.example.new"
        request = await at.request()
        files = {
            "certificate": apple.answer(request, other),
            "wwdr": apple.wwdr_der,
        }
        await at.upload("/apple", **files)
        assert at.desk.status == 422
        words = at.problems()["sure"]
        for part in (PASS_TYPE, other, "1枚"):
            assert part in words
        assert await kept(db, shop) == before
        await at.upload("/apple", **files, sure="yes")
        assert at.desk.status == 200, at.problems()
    assert (await kept(db, shop)).pass_type_id == other
    assert "apple.type_changed" in await acts(db)


async def test_a_connection_is_ended_and_passes_wait_for_the_next_one(
    db, settings, vault, clock, shop
):
    await connect_apple(shop, vault, clock.now())
    held = await held_on_a_phone(db, shop, clock)
    async with at_wallets(db, settings, clock) as at:
        await at.press("/apple/remove")
        assert "接続を解除しました" in at.desk.page
        assert "未接続" in at.part("h-apple")
        assert await kept(db, shop) is None
        await at.press("/apple/remove")
        await at.press("/apple/test")
        assert at.desk.status == 404
        await db.write(lambda tx: tx.execute(outbox.delete()) and None)
        await at.desk.get(PAGE)
        await at.upload("/apple", **own_files())
        assert at.desk.status == 200, at.problems()
    rows = await db.read(lambda tx: tx.execute(select(outbox)).all())
    assert [row.topic for row in rows] == [f"pass:{held.id}"]
    assert (await acts(db)).count("apple.removed") == 1


async def test_what_came_to_a_halt_starts_at_once_with_a_new_certificate(
    db, settings, vault, clock, shop
):
    await connect_apple(shop, vault, clock.now())
    held = await held_on_a_phone(db, shop, clock)
    topic, later = f"pass:{held.id}", clock.now() + timedelta(minutes=15)

    def halt(tx, *, dead):
        announce(tx, shop.merchant.id, topic, clock.now())
        for delivery in take_deliveries(tx, 9, 60, clock.now()):
            deliver_failed(tx, delivery, error="no", due_at=later, dead=dead)

    def waits(tx):
        row = tx.execute(select(outbox).where(outbox.c.topic == topic)).one()
        return row.due_at > clock.now() or row.dead

    async with at_wallets(db, settings, clock) as at:
        for dead in (False, True):
            clock.move(minutes=20)
            later = clock.now() + timedelta(minutes=15)
            await db.write(halt, dead=dead)
            assert await db.read(waits)
            # A test that is not good leaves it as it is; the certificate alone is it.
            at.apns.mood = lambda: "down"
            await at.press("/apple/test")
            assert await db.read(waits)
            await at.upload("/apple", **own_files())
            assert at.desk.status == 200, at.problems()
            assert not await db.read(waits)

            await db.write(halt, dead=dead)
            at.apns.mood = str
            await at.press("/apple/test")
            assert not await db.read(waits)


# --- the test button --------------------------------------------------------------


async def test_the_test_says_honestly_what_apns_thinks(
    db, settings, vault, clock, shop
):
    await connect_apple(shop, vault, clock.now())
    async with at_wallets(db, settings, clock) as at:
        assert "まだテストしていません" in at.part("trial-apple")
        for mood, words in (
            ("forb", "証明書を受け付けません"),
            ("down", "つながりません"),
            ("", "受け付けました"),
        ):
            at.apns.mood = lambda mood=mood: mood
            await at.press("/apple/test")
            assert words in at.part("trial-apple"), mood
        assert "BadCertificate" not in at.desk.page
        at.apns.mood = lambda: "forb"
        await at.press("/apple/test")
        assert "BadCertificate" in at.part("trial-apple")
        await at.apns.stop()
        await at.press("/apple/test")
        assert "つながりません" in at.part("trial-apple")


async def test_a_push_service_that_does_not_answer_is_told_as_such(
    db, settings, vault, clock, shop, monkeypatch
):
    monkeypatch.setattr("passes.apple.trial._SECONDS", 0.3)
    await connect_apple(shop, vault, clock.now())
    async with at_wallets(db, settings, clock) as at:
        at.apns.mood = lambda: "hang"
        await at.press("/apple/test")
        assert "時間内に答えがありません" in at.part("trial-apple")


async def test_a_certificate_that_apns_was_never_told_of_is_refused(
    db, settings, vault, clock, shop
):
    await connect_apple(shop, vault, clock.now(), chain("stranger"))
    async with at_wallets(db, settings, clock) as at:
        await at.press("/apple/test")
        assert "答えずに接続を切りました" in at.part("trial-apple")


async def test_a_merchant_without_a_card_can_test_too(
    db, settings, vault, clock, shop, monkeypatch
):
    monkeypatch.setattr(
        "webhooks.merchant.wallets_apple.programs_with_counts", lambda *_: []
    )
    await connect_apple(shop, vault, clock.now())
    async with at_wallets(db, settings, clock) as at:
        await at.press("/apple/test")
        assert "受け付けました" in at.part("trial-apple")


# --- days left --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "state", "told"),
    [
        (31, "good", ""),
        (30, "warn", "残り30日"),
        (8, "warn", "残り8日"),
        (7, "bad", "残り7日"),
        (0, "bad", "残り0日"),
        (-1, "bad", "切れています"),
    ],
)
async def test_the_page_and_the_first_page_warn_in_time(
    db, settings, vault, clock, shop, days, state, told
):
    clock.at = signer().ends_at - timedelta(days=days, hours=-1)
    if days >= 0:
        clock.at = signer().ends_at - timedelta(days=days, hours=1)
    await connect_apple(shop, vault, clock.now())
    async with at_wallets(db, settings, clock) as at:
        for path in (PAGE, "/merchant/"):
            await at.desk.get(path)
            assert f'class="state {state}"' in at.desk.page
            is_told = "止ま" in at.desk.page
            assert is_told == bool(told), path
            assert told in at.desk.page
        if days < 0:
            await at.desk.get(PAGE)
            await at.press("/apple/test")
            assert "署名できませんでした" in at.part("trial-apple")
            assert at.apns.pushes == []


# --- what must not be seen --------------------------------------------------------


async def test_no_key_and_no_password_is_shown_kept_or_logged_in_the_clear(
    db, settings, vault, today, shop, capsys
):
    apple = openssl_apple()
    key, certificate = apple.pair()
    secret = key.decode().splitlines()[4]
    pages = ""
    async with at_wallets(db, settings, today) as at:
        await at.request()
        locked = apple.locked(key)
        for password in ("himitsu-chigau", "himitsu"):
            await at.upload(
                "/apple",
                certificate=certificate,
                key=locked,
                wwdr=apple.wwdr_der,
                password=password,
            )
            pages += at.desk.page
        await at.enter_google("not a number", at.google.account)
        pages += at.desk.page
        await at.enter_google("3388000000012345678", at.google.account)
        pages += at.desk.page
    assert await kept(db, shop) is not None

    def everything(tx):
        tables = metadata.sorted_tables
        return "".join(repr(tx.execute(select(table)).all()) for table in tables)

    seen = await db.read(everything) + "".join(capsys.readouterr()) + pages
    assert "BEGIN CERTIFICATE" in seen
    for word in (secret, "PRIVATE KEY-", "private_key_id", "himitsu"):
        assert word not in seen, word


async def test_the_page_speaks_english_too(db, settings, vault, clock, shop):
    await connect_apple(shop, vault, clock.now())
    async with at_wallets(db, settings, clock) as at:
        form = {"csrf": at.desk.csrf, "language": "en", "next": PAGE}
        await at.desk.send("/merchant/language", form)
        for words in ("Wallet connections", "Valid until", "days left", "Issuer ID"):
            assert words in at.desk.page
        await at.upload("/apple", certificate=b"hello")
        assert "not a certificate file" in at.problems()["certificate"]
