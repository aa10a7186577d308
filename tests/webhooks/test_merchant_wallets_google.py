"""Connecting Google Wallet on the settings page, over real HTTP."""

from __future__ import annotations

import json
from functools import cache

import pytest
from sqlalchemy import select

from core.actions.cards import ledger
from core.actions.channels import GOOGLE_ACCOUNT, google_credentials
from core.actions.join import open_card
from core.actions.passes import hold_pass, mark_installed
from core.store.tables import outbox
from passes.google.files import MOST_BYTES
from tests.jobs.google_world import service_account
from tests.passes.google_cards import ISSUER
from tests.passes.openssl_apple import openssl_apple
from tests.webhooks.wallet_desk import PAGE, acts, at_wallets

OTHER = "3388000000099999999"


async def kept(db, shop):
    return await db.read(google_credentials, shop.merchant.id)


async def topics(db):
    rows = await db.read(lambda tx: tx.execute(select(outbox)).all())
    return {row.topic for row in rows}


async def saved_by_somebody(db, shop, clock):
    """One customer has the card in Google Wallet."""
    card_id = await db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="coffee",
        key="card",
        now=clock.now(),
    )
    held = await db.write(hold_pass, shop.merchant.id, card_id, "google", clock.now())
    await db.write(mark_installed, held.id, installed=True, now=clock.now())
    assert await db.read(ledger, shop.merchant.id, card_id) == []
    return held


async def test_issuer_and_file_are_enough(db, settings, vault, clock, shop):
    async with at_wallets(db, settings, clock) as at:
        assert "未接続" in at.part("h-google")
        # As copied from somewhere, in full-width digits.
        wide = " 3388-0000 0001２３４５６７８ "
        await at.enter_google(wide, at.google.account)
        assert at.desk.status == 200, at.problems()
        assert "この発行者のパスを作れます" in at.part("trial-google")
        for words in (ISSUER, at.google.email, "TEST ONLY", "招待する"):
            assert words in at.desk.page
        assert "BEGIN PRIVATE" not in at.desk.page
        paths = [call.path for call in at.google.stand_in.calls]
        assert paths == [f"/walletobjects/v1/issuer/{ISSUER}"]
    entered = await kept(db, shop)
    place = (shop.merchant.id, GOOGLE_ACCOUNT)
    account = json.loads(vault.open(entered.sealed_service_account, *place))
    assert account["client_email"] == json.loads(service_account()[0])["client_email"]
    # Google is told of the look.
    assert await topics(db) == {f"class:{shop.program.id}"}
    assert await acts(db) == ["google.connected", "google.tested"]


async def test_the_test_says_honestly_what_google_thinks(
    db, settings, vault, clock, shop
):
    async with at_wallets(db, settings, clock) as at:
        stand_in = at.google.stand_in
        await at.enter_google(ISSUER, at.google.account)

        stand_in.fail_next(403, "accessNotConfigured")
        await at.press("/google/test")
        assert "有効になっていません" in at.part("trial-google")

        stand_in.fail_next(400, "invalid_grant", path="/token")
        await at.press("/google/test")
        assert "鍵を受け付けません" in at.part("trial-google")

        stand_in.fail_next(503)
        await at.press("/google/test")
        assert "つながりません" in at.part("trial-google")
        assert "503" in at.part("trial-google")

        stand_in.uninvite(at.google.email)
        await at.press("/google/test")
        assert f"「ユーザー」で {at.google.email} を招待" in at.part("trial-google")

        stand_in.down = True
        await at.press("/google/test")
        assert "つながりません" in at.part("trial-google")


async def test_a_wrong_issuer_is_told_and_put_right_without_the_file(
    db, settings, vault, clock, shop
):
    async with at_wallets(db, settings, clock) as at:
        await at.enter_google(OTHER, at.google.account)
        assert "この発行者IDは見つかりません" in at.part("trial-google")
        before = (await kept(db, shop)).sealed_service_account
        await at.upload("/google", issuer_id=ISSUER)
        assert at.desk.status == 200, at.problems()
        assert "パスを作れます" in at.part("trial-google")
    after = await kept(db, shop)
    assert (after.issuer_id, after.sealed_service_account) == (ISSUER, before)


async def test_another_issuer_needs_a_tick_where_passes_are_out_there(
    db, settings, vault, clock, shop
):
    async with at_wallets(db, settings, clock) as at:
        await at.enter_google(ISSUER, at.google.account)
        held = await saved_by_somebody(db, shop, clock)
        await at.upload("/google", issuer_id=OTHER)
        assert at.desk.status == 422
        for part in (ISSUER, OTHER, "1枚"):
            assert part in at.problems()["sure"]
        assert (await kept(db, shop)).issuer_id == ISSUER
        await at.upload("/google", issuer_id=OTHER, sure="yes")
        assert at.desk.status == 200
        assert (await kept(db, shop)).issuer_id == OTHER

        await db.write(lambda tx: tx.execute(outbox.delete()) and None)
        await at.press("/google/remove")
        assert await kept(db, shop) is None
        assert "未接続" in at.part("h-google")
        assert await topics(db) == set()
        await at.enter_google(ISSUER, at.google.account)
    assert await topics(db) == {f"class:{shop.program.id}", f"pass:{held.id}"}


@cache
def curve_key() -> str:
    found = openssl_apple().run("ecparam", "-name", "prime256v1", "-genkey", "-noout")
    return found.decode()


def account(**changes: object) -> bytes:
    data = json.loads(service_account()[0]) | changes
    return json.dumps({k: v for k, v in data.items() if v is not None}).encode()


HOSTILE = {
    "empty": (b"", ["account"]),
    "photo": (b"\xff\xd8\xff\xe0" + bytes(900), ["account"]),
    "large": (b'{"type": "' + b"x" * MOST_BYTES + b'"}', ["account"]),
    "no object": (b'["service_account"]', ["account"]),
    "deep": (b"[" * 9000, ["account"]),
    "half": (account()[:700], ["account"]),
    "of an OAuth client": (b'{"installed": {"client_id": "x"}}', ["account"]),
    "of a person": (account(type="authorized_user"), ["account"]),
    "no e-mail": (account(client_email=None), ["account-email"]),
    "markup for e-mail": (account(client_email="<script>alert(1)"), ["account-email"]),
    "no key": (account(private_key=None), ["account-key"]),
    "no text for key": (account(private_key=[1]), ["account-key"]),
    "broken key": (account(private_key="-----BEGIN PRIVATE KEY-----"), ["account-key"]),
    "elsewhere": (account(token_uri="https://evil.example/"), ["account-token_uri"]),
    "all wrong": (
        account(client_email="a@b", private_key="x", token_uri={}),
        ["account-email", "account-key", "account-token_uri"],
    ),
}


async def test_what_is_wrong_with_a_file_is_told_and_nothing_is_kept(
    db, settings, clock, shop
):
    async with at_wallets(db, settings, clock) as at:
        curve = account(private_key=curve_key())
        for name, (file, fields) in (
            HOSTILE | {"curve key": (curve, ["account-key"])}
        ).items():
            clock.move(minutes=1)
            await at.upload("/google", issuer_id=ISSUER, account=file)
            assert at.desk.status == 422, name
            assert sorted(at.problems()) == fields, name
            assert f'value="{ISSUER}"' in at.desk.page
            assert "<script>alert" not in at.desk.page
        assert at.google.stand_in.n_tokens == 0
    assert await kept(db, shop) is None
    assert await acts(db) == []


@pytest.mark.parametrize("typed", ["", "abc", "12", "9" * 30, "<b>1", "1.5"])
async def test_what_is_no_issuer_is_told_together_with_the_file(
    db, settings, clock, shop, typed
):
    async with at_wallets(db, settings, clock) as at:
        await at.upload("/google", issuer_id=typed, account=b"hello")
        assert sorted(at.problems()) == ["account", "issuer_id"]
        await at.upload("/google", issuer_id=ISSUER)
        assert "JSON" in at.problems()["account"]


async def test_a_file_that_does_not_open_any_more_is_entered_anew(
    db, settings, clock, shop
):
    from core.store.tables import google_credentials as table

    async with at_wallets(db, settings, clock) as at:
        await at.enter_google(ISSUER, at.google.account)
        lost = table.update().values(sealed_service_account="v1.lost")
        await db.write(lambda tx: tx.execute(lost) and None)
        await at.desk.get(PAGE)
        assert at.desk.status == 200
        assert "鍵を開けません" in at.desk.page
        await at.press("/google/test")
        assert "鍵を開けません" in at.part("trial-google")
        await at.enter_google(ISSUER, at.google.account)
        assert "パスを作れます" in at.part("trial-google")


async def test_ends_and_tests_need_a_connection(db, settings, clock, shop):
    async with at_wallets(db, settings, clock) as at:
        await at.press("/google/test")
        assert at.desk.status == 404
        await at.desk.get(PAGE)
        await at.press("/google/remove")
        assert at.desk.status == 200
    assert await acts(db) == []
