"""Signing in and staying signed in, over real HTTP."""

from __future__ import annotations

import pytest

from core.actions.apply import MerchantFile, apply_merchant
from core.vault import hash_password
from tests.builders import PASSWORD, build_shop
from tests.webhooks.desk import at_desk
from webhooks.sessions import cookie_name

OWNER = "owner@aozora.jp"


async def test_the_right_password_opens_the_page_that_was_asked_for(
    db, settings, clock, shop
):
    async with at_desk(db, settings, clock) as desk:
        wanted = f"/merchant/cards/{shop.program.id}"
        await desk.get(wanted)
        assert desk.path == "/merchant/signin"

        answer = await desk.sign_in(OWNER, next=wanted)

        assert answer.status == 200
        assert desk.path == wanted
        assert "コーヒーカード" in desk.page


@pytest.mark.parametrize("email", [OWNER, "nobody@aozora.jp", "a\x00b@aozora.jp", ""])
async def test_a_wrong_password_and_an_unknown_address_read_the_same(
    db, settings, clock, shop, email
):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(email, "ちがうパスワードです")

        assert desk.status == 401
        assert "メールアドレスかパスワードが違います" in desk.page
        await desk.get("/merchant/")
        assert desk.path == "/merchant/signin"


async def test_what_was_typed_stays_but_the_password(db, settings, clock, shop):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in('"><b>@x', "geheim-geheim")

        assert 'value="&#34;&gt;&lt;b&gt;@x"' in desk.page
        assert "geheim" not in desk.page


async def test_five_wrong_passwords_lock_and_say_when_to_try_again(
    db, settings, clock, shop
):
    async with at_desk(db, settings, clock) as desk:
        for _ in range(4):
            await desk.sign_in(OWNER, "ちがう")
            assert desk.status == 401

        answer = await desk.sign_in(OWNER, "ちがう")
        assert answer.status == 429
        assert "1秒後にもう一度" in desk.page
        assert answer.headers["Retry-After"] == "1"

        # The right password does not open a locked account either.
        await desk.sign_in(OWNER)
        assert desk.status == 429

        clock.move(seconds=2)
        await desk.sign_in(OWNER)
        assert desk.path == "/merchant/"


async def test_an_address_that_tries_too_often_has_to_wait(db, settings, clock, shop):
    async with at_desk(db, settings, clock) as desk:
        for number in range(20):
            await desk.sign_in(f"guess{number}@aozora.jp", "ちがう")
            assert desk.status == 401

        answer = await desk.sign_in(OWNER)
        assert answer.status == 429
        assert "この場所からのサインインが多すぎます" in desk.page

        clock.move(seconds=11)
        await desk.sign_in(OWNER)
        assert desk.path == "/merchant/"


async def test_a_session_ends_after_eight_idle_hours(db, settings, clock, shop):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        for _ in range(3):
            clock.move(hours=7)
            await desk.get("/merchant/")
            assert desk.path == "/merchant/"

        clock.move(hours=8, seconds=1)
        await desk.get("/merchant/")
        assert desk.path == "/merchant/signin"


async def test_signing_out_ends_the_session_on_the_server(db, settings, clock, shop):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        cookie = {c.key: c.value for c in desk.client.session.cookie_jar}
        await desk.send("/merchant/signout", {"csrf": desk.csrf})
        assert desk.path == "/merchant/signin"

        answer = await desk.get("/merchant/", cookies=cookie, allow_redirects=False)
        assert answer.status == 303


async def test_the_till_and_the_settings_have_sessions_of_their_own(
    db, settings, clock, shop
):
    async with at_desk(db, settings, clock) as desk:
        await desk.send("/till/signin", {"email": OWNER, "password": PASSWORD})
        assert desk.path == "/till/"

        await desk.get("/merchant/")
        assert desk.path == "/merchant/signin"

        await desk.sign_in(OWNER)
        clock.move(hours=20)
        await desk.get("/till/")
        assert desk.path == "/till/"


@pytest.mark.parametrize(
    "target",
    ["//evil.example/", "https://evil.example/", "/\\evil.example", "/a\nb", "x"],
)
async def test_after_signing_in_nobody_is_sent_to_another_site(
    db, settings, clock, shop, target
):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER, next=target)

        assert desk.path == "/merchant/"


async def test_one_login_at_two_merchants_is_asked_which(
    db, settings, vault, clock, shop
):
    other = await build_shop(db, vault, clock.now(), key="umi", api_key="sk_other")
    person = {"email": OWNER, "role": "owner", "password_hash": hash_password(PASSWORD)}
    file = MerchantFile(
        merchant={
            "key": "umi",
            "name": "うみべ食堂",
            "timezone": "Asia/Tokyo",
            "day_starts_at": 5,
            "contact": "",
            "languages": ["ja"],
        },
        staff=(person,),
    )
    await db.write(apply_merchant, file, {}, clock.now())
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        assert "どのお店に" in desk.page
        choice = field(desk.page, "choice")
        ids = dict(buttons(desk.page))

        await desk.send(
            "/merchant/signin", {"choice": choice, "staff": ids["うみべ食堂"]}
        )
        assert desk.path == "/merchant/"
        assert "うみべ食堂" in desk.page
        await desk.get(f"/merchant/cards/{shop.program.id}")
        assert desk.status == 404
        await desk.get(f"/merchant/cards/{other.program.id}")
        assert desk.status == 200


async def test_a_choice_needs_the_signature_of_a_checked_password(
    db, settings, clock, shop
):
    async with at_desk(db, settings, clock) as desk:
        form = {"choice": '[["x","y"]].a.b', "staff": shop.owner.id}
        await desk.send("/merchant/signin", form)

        assert desk.status == 401


async def test_the_language_follows_the_browser_and_the_switch(
    db, settings, clock, shop
):
    async with at_desk(db, settings, clock) as desk:
        await desk.get("/merchant/signin", headers={"Accept-Language": "en-GB,en"})
        assert "Sign in to the settings" in desk.page
        await desk.get("/merchant/signin?lang=en")
        assert '<html lang="en">' in desk.page

        await desk.sign_in(OWNER, lang="en")
        assert "Connections" in desk.page

        form = {"csrf": desk.csrf, "language": "ja", "next": "/merchant/"}
        await desk.send("/merchant/language", form)
        assert "つながり" in desk.page


def test_cookies_are_bound_to_the_host_where_there_is_tls(settings):
    plain = settings.model_copy(update={"public_url": "http://localhost:8080"})

    assert cookie_name(settings, "settings") == "__Host-sid"
    assert cookie_name(plain, "settings") == "sid"


async def test_the_cookie_is_kept_from_scripts_and_other_sites(
    db, settings, clock, shop
):
    async with at_desk(db, settings, clock) as desk:
        form = {"email": OWNER, "password": PASSWORD}
        answer = await desk.client.post(
            "/merchant/signin", data=form, allow_redirects=False
        )

        cookie = answer.headers["Set-Cookie"]
        assert answer.status == 303
        for part in ("HttpOnly", "SameSite=Lax", "Path=/"):
            assert part in cookie


def field(page: str, name: str) -> str:
    return page.split(f'name="{name}" value="')[1].partition('"')[0]


def buttons(page: str) -> list[tuple[str, str]]:
    parts = page.split('name="staff" value="')[1:]
    return [(p.split(">")[1].split("<")[0], p.split('"')[0]) for p in parts]
