"""Apple's web service over real HTTP, with the real actions on both databases."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, NamedTuple

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient
from yarl import URL

from core.actions.grant import grant_stamps
from core.actions.passes import PassView, hold_pass, load_pass
from core.actions.publish import publish, save_draft
from core.database import Database
from core.links import Links
from core.rules.asking import StampAsk
from core.rules.types import PassId
from core.vault import Vault
from jobs.demo.apns import ApnsStandIn
from jobs.demo.apple_phone import ApplePhone
from jobs.demo.pass_file import open_pass
from passes.apple.issuer import CONTENT_TYPE, AppleIssuer
from tests.builders import BuiltShop, build_shop, coffee
from tests.conftest import ManualClock
from tests.passes.apple_chain import PASS_TYPE, chain, connect_apple, tls
from tests.passes.test_apple_issuer import make_issuer, new_pass
from webhooks import apple
from webhooks.fetched import set_up_fetch_notes
from webhooks.keys import APPLE, CLOCK, DB
from webhooks.limits import TryLimit

DEVICE = "b0" * 16
TOKEN = "a0" * 32


@pytest.fixture
async def apns(clock: ManualClock) -> AsyncIterator[ApnsStandIn]:
    found = ApnsStandIn(tls(), [chain().root_pem, chain().wwdr_pem], clock)
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
def links(vault: Vault, unused_tcp_port: int) -> Links:
    return Links(vault, f"http://127.0.0.1:{unused_tcp_port}")


@pytest.fixture
async def issuer(db, settings, vault, links, clock, apns) -> AsyncIterator[AppleIssuer]:
    found = make_issuer(db, settings, vault, links, clock, apns)
    yield found
    await found.close()


@pytest.fixture
async def client(
    db: Database,
    clock: ManualClock,
    issuer: AppleIssuer,
    unused_tcp_port: int,
    aiohttp_client: Callable[..., Awaitable[TestClient[Any, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> TestClient[Any, Any]:
    async def add(request: web.Request) -> web.Response:
        """As the add-to-wallet page gives the file out."""
        view = await db.read(load_pass, request.match_info["id"], clock.now())
        assert view
        body = await issuer.build(view.held, view.face, clock.now())
        return web.Response(body=body, content_type=CONTENT_TYPE)

    monkeypatch.setattr(apple, "_logs", TryLimit(burst=20, seconds=10))
    app = web.Application()
    app[DB], app[CLOCK], app[APPLE] = db, clock, issuer
    set_up_fetch_notes(app)
    app.add_routes(apple.routes)
    app.router.add_get("/add/{id}", add)
    return await aiohttp_client(app, server_kwargs={"port": unused_tcp_port})


@pytest.fixture
async def held(shop: BuiltShop, vault: Vault, clock: ManualClock) -> PassView:
    """A pass of a fresh card, on no phone yet."""
    await connect_apple(shop, vault, clock.now())
    return await new_pass(shop, clock)


class Got(NamedTuple):
    """An answer, read whole."""

    status: int
    headers: Any
    content_type: str
    body: bytes


class Phone:
    """The five calls of one device."""

    def __init__(self, client, view: PassView, vault: Vault, device=DEVICE) -> None:
        self.http = client
        self.serial: str = view.held.id
        self.device = device
        self.auth = {
            "Authorization": f"ApplePass {vault.token('apple-pass', view.held.id)}"
        }

    def path(self, pass_type=PASS_TYPE) -> str:
        return (
            f"/apple/v1/devices/{self.device}/registrations/{pass_type}/{self.serial}"
        )

    async def register(self, push_token=TOKEN, **more) -> int:
        body = {"json": {"pushToken": push_token}, "headers": self.auth} | more
        async with self.http.post(self.path(), **body) as answer:
            return answer.status

    async def unregister(self, **more) -> int:
        async with self.http.delete(
            self.path(), **({"headers": self.auth} | more)
        ) as answer:
            return answer.status

    async def changed(self, tag: str | None = None, pass_type=PASS_TYPE):
        params = {} if tag is None else {"passesUpdatedSince": tag}
        async with self.http.get(
            f"/apple/v1/devices/{self.device}/registrations/{pass_type}", params=params
        ) as answer:
            if answer.status == 204:
                assert await answer.read() == b""
                return None
            assert answer.status == 200, await answer.text()
            found = await answer.json()
            assert set(found) == {"serialNumbers", "lastUpdated"}
            assert isinstance(found["lastUpdated"], str)
            return found["serialNumbers"], found["lastUpdated"]

    async def latest(self, since: str = "", method="GET", **headers):
        asked = dict(self.auth) | headers
        if since:
            asked["If-Modified-Since"] = since
        async with self.http.request(
            method, f"/apple/v1/passes/{PASS_TYPE}/{self.serial}", headers=asked
        ) as answer:
            body = await answer.read()
            return Got(answer.status, answer.headers, answer.content_type, body)


@pytest.fixture
def phone(client, held, vault) -> Phone:
    return Phone(client, held, vault)


async def stamp(shop: BuiltShop, view: PassView, clock: ManualClock, key: str):
    """One stamp; more than one a day is allowed in these tests."""
    design = coffee(limit=coffee().limit.__class__(kind="none"))
    asked = StampAsk(
        merchant_id=shop.merchant.id, key=key, how="api", card_id=view.held.card_id
    )
    if shop.program.design.limit.kind == "day" and "free" not in shop.extra:
        program = shop.program.id
        args = (shop.merchant.id, program)
        await shop.db.write(save_draft, *args, design, shop.owner.id, clock.now())
        await shop.db.write(publish, *args, shop.owner.id, clock.now())
        shop.extra["free"] = True
    await shop.db.write(grant_stamps, asked, clock.now())


async def tokens(db, clock, serial) -> tuple[str, ...]:
    view = await db.read(load_pass, PassId(serial), clock.now())
    return view.held.push_tokens


# --- registering


async def test_the_first_registration_is_201_and_again_is_200(phone, db, clock):
    assert await phone.register() == 201
    assert await phone.register() == 200
    assert await tokens(db, clock, phone.serial) == (TOKEN,)


async def test_registering_again_keeps_the_new_push_token(phone, db, clock):
    # Peers answer 200 and keep the old one: pushes then go nowhere for ever.
    await phone.register()
    assert await phone.register("c1" * 32) == 200
    assert await tokens(db, clock, phone.serial) == ("c1" * 32,)


async def test_unregistering_forgets_the_phone(phone, db, clock):
    await phone.register()
    assert await phone.unregister() == 200
    assert await tokens(db, clock, phone.serial) == ()
    assert await phone.unregister() == 200
    assert await phone.changed() is None
    assert await phone.register() == 201


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"Authorization": "ApplePass wrong"},
        {"Authorization": "ApplePass "},
        {"Authorization": "ApplePass"},
        {"Authorization": ""},
        {"Authorization": "ApplePass \u00e9"},
    ],
)
async def test_without_the_passs_secret_everything_is_401(phone, header, db, clock):
    assert await phone.register(headers=header) == 401
    assert await phone.unregister(headers=header) == 401
    phone.auth = header
    for method in ("GET", "HEAD"):
        assert (await phone.latest(method=method)).status == 401
    assert await tokens(db, clock, phone.serial) == ()


async def test_the_secret_alone_without_its_scheme_is_not_enough(phone):
    secret = phone.auth["Authorization"].removeprefix("ApplePass ")
    for header in (secret, f"Bearer {secret}", f"ApplePass {secret}x"):
        assert await phone.register(headers={"Authorization": header}) == 401


async def test_one_passs_secret_opens_no_other(phone, client, shop, vault, clock):
    other = await new_pass(shop, clock, key="second")
    stranger = Phone(client, other, vault)
    assert await stranger.register(headers=phone.auth) == 401
    assert await stranger.register() == 201


async def test_unknown_passes_and_types_answer_like_a_wrong_secret(
    phone, client, vault, held, shop, clock
):
    path = f"/apple/v1/devices/{DEVICE}/registrations/pass.jp.other/{phone.serial}"
    answer = await client.post(path, json={"pushToken": TOKEN}, headers=phone.auth)
    assert answer.status == 401
    answer = await client.get(
        f"/apple/v1/passes/pass.jp.other/{phone.serial}", headers=phone.auth
    )
    assert answer.status == 401
    # A secret that we would derive, for a pass that is not there.
    phone.serial = "01KBNOSUCHPASS000000000000"
    phone.auth = {
        "Authorization": f"ApplePass {vault.token('apple-pass', phone.serial)}"
    }
    assert await phone.register() == 401
    assert await phone.unregister() == 401
    assert (await phone.latest()).status == 401
    # A Google pass has no business here either.
    google = await shop.db.write(
        hold_pass, shop.merchant.id, held.held.card_id, "google", clock.now()
    )
    stranger = Phone(client, PassView(held=google, face=held.face), vault)
    assert await stranger.register() == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"{}",
        b'{"pushToken": 5}',
        b'{"pushToken": ""}',
        b'{"pushToken": "../../x"}',
        b'{"pushToken": "a b"}',
        b'{"pushToken": "a\\u0000"}',
        b'{"pushToken": "\\ud800"}',
        b'{"pushToken": "' + b"a" * 201 + b'"}',
        b"\xff\xfe\x00",
        b"[" * 16000,
    ],
)
async def test_a_malformed_registration_is_400(phone, body):
    assert await phone.register(json=None, data=body) == 400


async def test_a_body_without_end_is_cut_off(phone, client):
    big = b'{"pushToken": "' + b"a" * 40_000
    assert await phone.register(json=None, data=big) == 413
    answer = await client.post("/apple/v1/log", data=b"x" * 20_000)
    assert answer.status == 413


ODD_NAMES = ["%00", "a%00b", "%20", "a" * 129, "%E3%81%82", "..%2F..", "%ff", "'--"]


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_malformed_names_in_paths_are_refused_quietly(phone, client, name):
    paths = {
        "POST": [f"/apple/v1/devices/{name}/registrations/{PASS_TYPE}/{phone.serial}"],
        "GET": [
            f"/apple/v1/devices/{name}/registrations/{PASS_TYPE}",
            f"/apple/v1/devices/{DEVICE}/registrations/{name}",
            f"/apple/v1/passes/{name}/{phone.serial}",
            f"/apple/v1/passes/{PASS_TYPE}/{name}",
        ],
    }
    paths["DELETE"] = paths["POST"]
    for method, urls in paths.items():
        for url in urls:
            async with client.request(
                method,
                URL(url, encoded=True),
                json={"pushToken": TOKEN} if method == "POST" else None,
                headers=phone.auth,
            ) as answer:
                # 204: a well-formed name that nobody has.
                assert answer.status in {400, 401, 404, 204}, url
                assert "Traceback" not in await answer.text()


async def test_a_burst_of_devices_keeps_the_newest_twenty(phone, db, clock):
    for n in range(25):
        phone.device = f"device{n:03}"
        clock.move(seconds=1)
        assert await phone.register(f"a{n:03}") == 201
    kept = await tokens(db, clock, phone.serial)
    assert set(kept) == {f"a{n:03}" for n in range(5, 25)}


# --- what changed


async def test_a_phone_without_registrations_gets_204(phone):
    assert await phone.changed() is None
    assert await phone.changed("123") is None


async def test_the_first_question_lists_every_pass(phone, client, shop, vault, clock):
    other = Phone(client, await new_pass(shop, clock, key="second"), vault)
    await phone.register()
    await other.register()
    serials, tag = await phone.changed()
    assert set(serials) == {phone.serial, other.serial}
    assert tag.isdecimal()


async def test_a_stamp_is_found_by_the_tag_and_then_nothing_is_new(
    phone, held, shop, clock
):
    await phone.register()
    clock.move(minutes=5)
    _, tag = await phone.changed()
    assert await phone.changed(tag) is None
    await stamp(shop, held, clock, "one")
    serials, newer = await phone.changed(tag)
    assert serials == [phone.serial]
    assert int(newer) > int(tag)
    # Once more, for changes that were committed late; the pass itself is then a 304.
    clock.move(minutes=5)
    _, later = await phone.changed(newer)
    clock.move(minutes=5)
    assert await phone.changed(later) is None


async def test_two_changed_passes_are_both_listed(phone, client, shop, vault, clock):
    # Peers list the newest only: the other one's change is lost for ever.
    second = await new_pass(shop, clock, key="second")
    other = Phone(client, second, vault)
    await phone.register()
    await other.register()
    _, tag = await phone.changed()
    first = await shop.db.read(load_pass, PassId(phone.serial), clock.now())
    clock.move(minutes=5)
    await stamp(shop, first, clock, "one")
    clock.move(seconds=20)
    await stamp(shop, second, clock, "two")
    serials, _ = await phone.changed(tag)
    assert set(serials) == {phone.serial, other.serial}


async def test_the_tag_is_never_the_one_that_came_with_serial_numbers(phone):
    # Phones log an error and stop asking; the clock stands still here.
    await phone.register()
    tag, seen = None, set()
    for _ in range(5):
        serials, tag = await phone.changed(tag)
        assert serials == [phone.serial]
        assert tag not in seen
        seen.add(tag)


async def test_a_change_that_was_committed_late_is_still_found(
    phone, held, shop, clock
):
    await phone.register()
    started = clock.now()
    clock.move(minutes=5)
    _, tag = await phone.changed()
    # Its transaction began 50 s ago and is only now visible.
    clock.at -= timedelta(seconds=50)
    await stamp(shop, held, clock, "slow")
    assert clock.now() > started
    clock.move(seconds=60)
    serials, _ = await phone.changed(tag)
    assert serials == [phone.serial]


@pytest.mark.parametrize(
    "tag", ["", "x", "-1", "1e9", "2026-11-23T15:00:00 00:00", "９", "1" * 40, "\x00"]
)
async def test_a_tag_that_is_not_ours_lists_everything(phone, tag):
    await phone.register()
    serials, _ = await phone.changed(tag)
    assert serials == [phone.serial]


async def test_a_tag_from_the_future_hides_nothing(phone, held, shop, clock):
    await phone.register()
    future = str(int((clock.now() + timedelta(days=400)).timestamp() * 1000))
    serials, tag = await phone.changed(future)
    assert serials == [phone.serial]
    assert int(tag) < int(future)


async def test_another_pass_type_lists_nothing(phone):
    await phone.register()
    assert await phone.changed(pass_type="pass.jp.other") is None


# --- fetching


async def test_the_latest_pass_has_its_type_its_date_and_the_count(
    phone, held, shop, clock
):
    await stamp(shop, held, clock, "one")
    answer = await phone.latest()
    assert answer.status == 200
    assert answer.content_type == CONTENT_TYPE
    now = await shop.db.read(load_pass, PassId(phone.serial), clock.now())
    modified = parsedate_to_datetime(answer.headers["Last-Modified"])
    assert int(modified.timestamp()) == now.held.changed_at
    content = open_pass(answer.body)
    assert content.fields("header", "ja")[0]["value"] == "1/10"


async def test_what_the_phone_has_is_304_until_the_next_stamp(phone, held, shop, clock):
    first = await phone.latest()
    known = first.headers["Last-Modified"]
    again = await phone.latest(since=known)
    assert again.status == 304
    assert again.headers["Last-Modified"] == known
    assert again.body == b""
    clock.move(seconds=10)
    await stamp(shop, held, clock, "one")
    assert (await phone.latest(since=known)).status == 200


async def test_two_stamps_within_one_second_are_two_versions(phone, held, shop, clock):
    seen = []
    for key in ("one", "two", "three"):
        await stamp(shop, held, clock, key)
        clock.move(milliseconds=100)
        answer = await phone.latest(since=seen[-1] if seen else "")
        assert answer.status == 200
        seen.append(answer.headers["Last-Modified"])
    assert len(set(seen)) == 3
    assert (await phone.latest(since=seen[-1])).status == 304


@pytest.mark.parametrize("since", ["yesterday", "0", "Mon, 99 Foo 2026", "Thu"])
async def test_a_date_that_is_none_gets_the_pass(phone, since):
    assert (await phone.latest(since=since)).status == 200


async def test_a_date_before_the_change_gets_the_pass_and_one_after_does_not(
    phone, held
):
    at = datetime.fromtimestamp(held.held.changed_at, UTC)
    before = format_datetime(at - timedelta(seconds=1), usegmt=True)
    after = format_datetime(at + timedelta(days=1), usegmt=True)
    assert (await phone.latest(since=before)).status == 200
    assert (await phone.latest(since=after)).status == 304


async def test_head_is_answered_like_get_without_a_body(phone):
    # Phones really ask so: https://developer.apple.com/forums/thread/765873
    got, head = await phone.latest(), await phone.latest(method="HEAD")
    assert head.status == 200
    assert head.body == b""
    for name in ("Last-Modified", "Content-Type"):
        assert head.headers[name] == got.headers[name]


async def test_without_a_usable_certificate_phones_are_asked_to_wait(
    phone, clock, shop, vault
):
    await connect_apple(shop, Vault("another master key"), clock.move(seconds=1))
    answer = await phone.latest()
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "60"
    assert answer.body == b""


async def test_another_merchants_passes_of_the_same_type_stay_apart(
    phone, client, shop, vault, clock
):
    # A service may sign for several merchants with one certificate.
    other = await build_shop(shop.db, vault, clock.now(), key="midori", api_key="sk_2")
    await connect_apple(other, vault, clock.now())
    theirs = Phone(client, await new_pass(other, clock), vault, device="c0" * 16)
    await phone.register()
    await theirs.register()
    assert (await phone.changed())[0] == [phone.serial]
    assert (await theirs.changed())[0] == [theirs.serial]


# --- the log


async def test_what_phones_report_is_logged_without_their_secrets(client):
    line = (
        f"[2026-11-23 15:00:00 +0900] Register task (for device {DEVICE}, pass type "
        f"{PASS_TYPE}, serial number 01KBSERIAL; with web service url "
        "https://stamps.example.jp/apple) encountered error: Unexpected\nresponse"
    )
    with structlog.testing.capture_logs() as logs:
        answer = await client.post("/apple/v1/log", json={"logs": [line, 5, None]})
    assert answer.status == 200
    (entry,) = logs
    assert entry["event"] == "apple_device_problem"
    assert entry["serial"] == "01KBSERIAL"
    assert entry["pass_type"] == PASS_TYPE
    assert "Unexpected response" in entry["message"]
    assert DEVICE not in json.dumps(entry)


async def test_the_log_takes_little_from_anybody(client, clock):
    many = {"logs": [f"line {n} " + "x " * 600 for n in range(300)]}
    with structlog.testing.capture_logs() as logs:
        for _ in range(60):
            assert (await client.post("/apple/v1/log", data=b'{"logs":["x"]}')).ok
        assert len(logs) == 20
        clock.move(seconds=11)
        big = json.dumps(many)[:16000].rpartition('", "')[0] + '"]}'
        assert (await client.post("/apple/v1/log", data=big)).status == 200
    assert len(logs) == 20 + min(20, len(json.loads(big)["logs"]))
    assert all(len(entry["message"]) <= 500 for entry in logs)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"logs": 5}', b"{}"])
async def test_a_log_that_is_none_is_400(client, body):
    assert (await client.post("/apple/v1/log", data=body)).status == 400


# --- all together


async def test_a_stamp_reaches_the_phone_and_its_lock_screen(
    client, held, issuer, apns, shop, clock, links
):
    phone = ApplePhone(clock)
    apns.on_push = phone.pushed
    await phone.start()
    try:
        serial = await phone.add(f"{links.public_url}/add/{held.held.id}")
        assert phone.passes[serial].is_registered
        for count in (1, 2):
            clock.move(seconds=5)
            await stamp(shop, held, clock, f"stamp-{count}")
            view = await shop.db.read(load_pass, held.held.id, clock.now())
            await issuer.refresh(view.held, view.face, clock.now())
            async with asyncio.timeout(10):
                await phone.bell.until(
                    lambda n=count: len(phone.notices) >= n or None, 10
                )
        assert [notice.text for notice in phone.notices] == [
            "スタンプが 1/10 になりました",
            "スタンプが 2/10 になりました",
        ]
        assert phone.problems == []
        await phone.remove(serial)
    finally:
        await phone.stop()
    view = await shop.db.read(load_pass, held.held.id, clock.now())
    assert view.held.push_tokens == ()
