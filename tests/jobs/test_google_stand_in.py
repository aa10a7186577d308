"""The Google stand-in behaves as Google documents, and Google's own client agrees."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import google.auth.exceptions
import pytest
from aiohttp import web
from google.oauth2.service_account import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from core.clock import Clock
from jobs.demo.google_wallet import GoogleStandIn, SaveRefused
from passes.google.account import load_account, sign_jwt
from tests.conftest import ManualClock
from tests.jobs.google_world import GoogleWorld, google_world, service_account
from tests.passes.google_cards import ISSUER, a_class, a_face, an_object

SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
PNG = b"\x89PNG\r\n\x1a\n and so on"


@pytest.fixture
async def world() -> AsyncIterator[GoogleWorld]:
    # Google's library reads the wall clock, so the stand-in does too.
    async with google_world(Clock()) as world:
        yield world


@pytest.fixture
def client(world: GoogleWorld) -> Any:
    """google-api-python-client with google-auth, pointed at the stand-in."""
    return _client(world, json.loads(world.account))


def _client(world: GoogleWorld, account: dict[str, Any]) -> Any:
    info = account | {"token_uri": world.stand_in.token_url}
    return build(
        "walletobjects",
        "v1",
        credentials=Credentials.from_service_account_info(info, scopes=[SCOPE]),
        client_options={"api_endpoint": world.stand_in.url},
        static_discovery=True,
    )


async def _run(request: Any) -> dict[str, Any]:
    # httplib2 leaves its sockets to the garbage collector: close them here.
    def work() -> dict[str, Any]:
        try:
            return dict(request.execute())
        finally:
            request.http.close()

    return await asyncio.to_thread(work)


async def _status(request: Any) -> tuple[int, str]:
    with pytest.raises(HttpError) as caught:
        await _run(request)
    error = json.loads(caught.value.content)["error"]
    return caught.value.status_code, error["errors"][0]["reason"]


CLASS = a_class(a_face())
OBJECT = an_object(a_face())


async def test_googles_client_inserts_reads_and_patches(client: Any) -> None:
    classes, objects = client.loyaltyclass(), client.loyaltyobject()

    made = await _run(classes.insert(body=CLASS))
    assert made["reviewStatus"] == "approved"
    await _run(objects.insert(body=OBJECT))
    patch = {"loyaltyPoints": {"balance": {"string": "4/10"}}}
    await _run(objects.patch(resourceId=OBJECT["id"], body=patch))

    found = await _run(objects.get(resourceId=OBJECT["id"]))
    assert found["loyaltyPoints"]["balance"] == {"string": "4/10"}
    assert found["loyaltyPoints"]["label"] == OBJECT["loyaltyPoints"]["label"]
    assert found["state"] == "active"
    assert found["hasUsers"] is False
    assert found["classReference"]["id"] == CLASS["id"]


async def test_googles_client_lists_the_objects_of_a_class_page_by_page(
    client: Any,
) -> None:
    objects = client.loyaltyobject()
    await _run(client.loyaltyclass().insert(body=CLASS))
    names = [f"{ISSUER}.c.{number}" for number in range(5)]
    for name in names:
        await _run(objects.insert(body=OBJECT | {"id": name}))

    found, token = [], None
    while token != "":
        page = await _run(objects.list(classId=CLASS["id"], maxResults=2, token=token))
        found.append([thing["id"] for thing in page["resources"]])
        token = page["pagination"].get("nextPageToken", "")

    assert found == [names[:2], names[2:4], names[4:]]
    unknown = objects.list(classId=f"{ISSUER}.p.unknown")
    assert await _status(unknown) == (404, "classNotFound")


async def test_a_patch_replaces_lists_whole_and_null_deletes(client: Any) -> None:
    objects = client.loyaltyobject()
    await _run(client.loyaltyclass().insert(body=CLASS))
    await _run(objects.insert(body=OBJECT))
    patch = {"textModulesData": [{"id": "row", "body": "●"}], "heroImage": None}

    after = await _run(objects.patch(resourceId=OBJECT["id"], body=patch))

    assert after["textModulesData"] == [{"id": "row", "body": "●"}]
    assert "heroImage" not in after
    assert after["barcode"]["value"] == OBJECT["barcode"]["value"]


async def test_a_patch_to_another_kind_of_balance_leaves_both_and_is_refused(
    client: Any,
) -> None:
    objects = client.loyaltyobject()
    await _run(client.loyaltyclass().insert(body=CLASS))
    await _run(objects.insert(body=OBJECT))
    patch = {"loyaltyPoints": {"balance": {"int": 4}}}

    refused = objects.patch(resourceId=OBJECT["id"], body=patch)
    assert await _status(refused) == (400, "invalid")


async def test_a_put_clears_what_it_does_not_name(client: Any) -> None:
    objects = client.loyaltyobject()
    await _run(client.loyaltyclass().insert(body=CLASS))
    await _run(objects.insert(body=OBJECT))
    shell = {"id": OBJECT["id"], "classId": CLASS["id"], "state": "INACTIVE"}

    after = await _run(objects.update(resourceId=OBJECT["id"], body=shell))

    assert after["state"] == "inactive"
    assert "barcode" not in after


async def test_ids_are_checked_taken_and_missing(client: Any) -> None:
    classes, objects = client.loyaltyclass(), client.loyaltyobject()
    await _run(classes.insert(body=CLASS))

    assert await _status(classes.insert(body=CLASS)) == (409, "existingResource")
    nobody = objects.get(resourceId=f"{ISSUER}.c.nobody")
    assert await _status(nobody) == (404, "resourceNotFound")
    orphan = OBJECT | {"classId": f"{ISSUER}.p.none"}
    assert await _status(objects.insert(body=orphan)) == (404, "classNotFound")
    bad = OBJECT | {"id": "coffee"}
    assert await _status(objects.insert(body=bad)) == (400, "badRequest")
    foreign = CLASS | {"id": "3388000000099999999.p.1"}
    assert await _status(classes.insert(body=foreign)) == (403, "permissionDenied")


@pytest.mark.parametrize("status", ["APPROVED", "approved", "DRAFT", None])
async def test_a_class_is_written_under_review_only(
    client: Any, status: str | None
) -> None:
    classes = client.loyaltyclass()
    await _run(classes.insert(body=CLASS))
    patch = {"programName": "新しい名前"} | ({"reviewStatus": status} if status else {})

    refused = classes.patch(resourceId=CLASS["id"], body=patch)
    assert (await _status(refused))[0] == 400


async def test_a_draft_has_no_objects_until_it_is_reviewed(client: Any) -> None:
    classes, objects = client.loyaltyclass(), client.loyaltyobject()
    await _run(classes.insert(body=CLASS | {"reviewStatus": "DRAFT"}))

    assert await _status(objects.insert(body=OBJECT)) == (400, "invalid")
    await _run(classes.patch(resourceId=CLASS["id"], body=CLASS))
    await _run(objects.insert(body=OBJECT))


async def test_a_field_that_google_does_not_know_is_refused_here(client: Any) -> None:
    # Google drops it without a word; a test must not.
    wrong = CLASS | {"hexBackgroundColour": "#ffffff"}

    assert await _status(client.loyaltyclass().insert(body=wrong)) == (400, "invalid")


async def test_an_account_that_is_not_invited_may_not_write(
    world: GoogleWorld, client: Any
) -> None:
    world.stand_in.uninvite(world.email)

    refused = client.loyaltyclass().insert(body=CLASS)
    assert await _status(refused) == (403, "permissionDenied")


async def test_an_unknown_account_gets_no_token(world: GoogleWorld) -> None:
    stranger = json.loads(service_account("stranger")[0])
    client = _client(world, stranger)

    with pytest.raises(google.auth.exceptions.RefreshError, match="invalid_grant"):
        await _run(client.loyaltyclass().insert(body=CLASS))


async def test_a_forged_account_gets_no_token(world: GoogleWorld) -> None:
    forged = json.loads(service_account("stranger")[0]) | {"client_email": world.email}
    client = _client(world, forged)

    with pytest.raises(google.auth.exceptions.RefreshError, match="invalid_grant"):
        await _run(client.loyaltyclass().insert(body=CLASS))


def _assertion(clock: ManualClock, **changes: Any) -> str:
    account = load_account(service_account()[0])
    now = int(clock.now().timestamp())
    claims = {
        "iss": account.email,
        "scope": SCOPE,
        "aud": "https://oauth2.googleapis.com/token",
        "iat": now,
        "exp": now + 3600,
    }
    return sign_jwt(account, claims | changes)


async def _ask_token(stand_in: GoogleStandIn, **form: str) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(stand_in.token_url, data=form) as response,
    ):
        return response.status


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"aud": "https://example.com/token"}, 400),
        ({"scope": "https://www.googleapis.com/auth/drive"}, 400),
        ({"exp": 1}, 400),
        ({"iat": 1, "exp": 2}, 400),
        ({"exp": 9_999_999_999}, 400),
        ({"iat": "now"}, 400),
    ],
)
async def test_a_grant_must_be_short_lived_and_for_google(
    clock: ManualClock, changes: dict[str, Any], status: int
) -> None:
    async with google_world(clock) as world:
        jwt = _assertion(clock, **changes)

        got = await _ask_token(world.stand_in, grant_type=GRANT, assertion=jwt)
        assert got == status
        wrong = await _ask_token(world.stand_in, grant_type="x", assertion=jwt)
        assert wrong == 400


async def test_a_token_ends_after_an_hour(clock: ManualClock) -> None:
    async with google_world(clock) as world, aiohttp.ClientSession() as session:
        form = {"grant_type": GRANT, "assertion": _assertion(clock)}
        async with session.post(world.stand_in.token_url, data=form) as response:
            token = (await response.json())["access_token"]
        url = f"{world.stand_in.url}/walletobjects/v1/loyaltyClass/{CLASS['id']}"
        headers = {"Authorization": f"Bearer {token}"}

        async with session.get(url, headers=headers) as response:
            assert response.status == 404
        clock.move(minutes=60)
        async with session.get(url, headers=headers) as response:
            assert response.status == 401


def _save_jwt(thing: dict[str, Any], **changes: Any) -> str:
    account = load_account(service_account()[0])
    claims = {
        "iss": account.email,
        "aud": "google",
        "typ": "savetowallet",
        "iat": 1,
        "origins": ["https://stamps.example.jp"],
        "payload": {"loyaltyObjects": [thing]},
    }
    return sign_jwt(account, claims | changes)


NAMED = {"id": OBJECT["id"], "classId": OBJECT["classId"]}


async def test_a_save_link_attaches_the_object_and_never_changes_it(
    world: GoogleWorld, client: Any
) -> None:
    await _run(client.loyaltyclass().insert(body=CLASS))
    await _run(client.loyaltyobject().insert(body=OBJECT))
    changed: list[str] = []
    world.stand_in.on_change = changed.append
    lean = NAMED | {"state": "INACTIVE"}

    assert await world.stand_in.save(_save_jwt(lean)) == OBJECT["id"]

    kept = world.stand_in.objects[OBJECT["id"]]
    assert kept["state"] == "ACTIVE"
    assert kept["hasUsers"] is True
    assert changed == [OBJECT["id"]]


async def test_a_save_link_with_an_object_makes_it(world: GoogleWorld) -> None:
    world.stand_in.classes[CLASS["id"]] = CLASS | {"callbackOptions": {}}

    await world.stand_in.save(_save_jwt(NAMED | {"state": "ACTIVE"}))

    assert world.stand_in.objects[OBJECT["id"]]["hasUsers"] is True


@pytest.mark.parametrize(
    ("thing", "changes"),
    [
        (NAMED, {}),
        (NAMED, {"aud": "someone"}),
        (NAMED, {"typ": "savetoandroidpay"}),
        (NAMED, {"iss": "stranger@example.com"}),
        (NAMED, {"payload": {}}),
        (OBJECT, {}),
    ],
)
async def test_a_link_that_cannot_work_is_refused(
    world: GoogleWorld, thing: dict[str, Any], changes: dict[str, Any]
) -> None:
    world.stand_in.classes[CLASS["id"]] = CLASS

    with pytest.raises(SaveRefused):
        await world.stand_in.save(_save_jwt(thing, **changes))
    assert world.stand_in.objects == {}


async def test_the_first_who_saves_locks_others_out(world: GoogleWorld) -> None:
    world.stand_in.classes[CLASS["id"]] = CLASS | {"callbackOptions": {}}
    world.stand_in.objects[OBJECT["id"]] = dict(OBJECT)

    await world.stand_in.save(_save_jwt(NAMED), user="花子")
    await world.stand_in.save(_save_jwt(NAMED), user="花子")
    with pytest.raises(SaveRefused, match="another account"):
        await world.stand_in.save(_save_jwt(NAMED), user="太郎")


async def test_a_save_link_is_served_as_a_page(world: GoogleWorld) -> None:
    world.stand_in.classes[CLASS["id"]] = CLASS | {"callbackOptions": {}}
    world.stand_in.objects[OBJECT["id"]] = dict(OBJECT)
    async with aiohttp.ClientSession() as session:
        page = f"{world.stand_in.url}/gp/v/save/"

        async with session.get(page + _save_jwt(NAMED)) as response:
            assert await response.json() == {"objectId": OBJECT["id"]}
        async with session.get(page + "not-a-jwt") as response:
            assert response.status == 400


async def _with_site(
    handler: Callable[[web.Request], Any], run: Callable[[str], Any]
) -> None:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        await run(f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


async def test_saving_and_removing_call_back_as_often_as_ordered(
    world: GoogleWorld,
) -> None:
    heard: list[dict[str, Any]] = []

    async def hear(request: web.Request) -> web.Response:
        heard.append(json.loads((await request.json())["signedMessage"]))
        return web.Response()

    async def run(url: str) -> None:
        stand_in = world.stand_in
        stand_in.classes[CLASS["id"]] = CLASS | {"callbackOptions": {"url": url}}
        stand_in.objects[OBJECT["id"]] = dict(OBJECT)
        stand_in.repeats = 1
        await stand_in.save(_save_jwt(NAMED))
        await stand_in.remove(OBJECT["id"])

        assert [event["eventType"] for event in heard] == ["save", "save", "del", "del"]
        assert len({event["nonce"] for event in heard}) == 2
        assert stand_in.callback_answers == [200] * 4
        assert stand_in.objects[OBJECT["id"]]["hasUsers"] is False

    await _with_site(hear, run)


async def test_pictures_are_fetched_at_the_write_and_kept_by_address() -> None:
    asked: list[str] = []

    async def give(request: web.Request) -> web.Response:
        asked.append(request.path)
        is_there = request.path != "/dead.png"
        return web.Response(body=PNG if is_there else b"not found")

    async def run(site: str) -> None:
        async with google_world(plain_http=True, fetches_pictures=True) as world:
            client = _client(world, json.loads(world.account))
            whole = _at(CLASS, site)
            await _run(client.loyaltyclass().insert(body=whole))
            assert world.stand_in.pictures[f"{site}/logo.png"] == PNG
            await _run(client.loyaltyobject().insert(body=_at(OBJECT, site)))

            dead = {"heroImage": {"sourceUri": {"uri": f"{site}/dead.png"}}}
            patch = client.loyaltyobject().patch(resourceId=OBJECT["id"], body=dead)
            assert await _status(patch) == (400, "invalidImage")

    await _with_site(give, run)
    assert asked == ["/logo.png", "/hero-0.png", "/hero-3.png", "/dead.png"]


def _at(body: dict[str, Any], site: str) -> dict[str, Any]:
    text = json.dumps(body).replace("https://stamps.example.jp", site)
    return dict(json.loads(text))


async def test_only_a_changed_balance_of_a_saved_pass_rings_three_times_a_day(
    clock: ManualClock,
) -> None:
    async with google_world(clock) as world:
        shelf = world.stand_in
        shelf.classes[CLASS["id"]] = CLASS | {"callbackOptions": {}}
        shelf.objects[OBJECT["id"]] = dict(OBJECT)
        async with aiohttp.ClientSession() as session:
            form = {"grant_type": GRANT, "assertion": _assertion(clock)}
            async with session.post(shelf.token_url, data=form) as response:
                token = (await response.json())["access_token"]
            url = f"{shelf.url}/walletobjects/v1/loyaltyObject/{OBJECT['id']}"
            headers = {"Authorization": f"Bearer {token}"}

            async def stamp(count: int) -> int:
                body = {
                    "loyaltyPoints": {"balance": {"string": f"{count}/10"}},
                    "notifyPreference": "NOTIFY_ON_UPDATE",
                }
                async with session.patch(url, json=body, headers=headers) as response:
                    return response.status

            assert await stamp(4) == 200
            assert shelf.rings == []
            await shelf.save(_save_jwt(NAMED))
            assert [await stamp(n) for n in (5, 6, 6, 7, 8)] == [200] * 4 + [403]
            assert len(shelf.rings) == 3
            assert "notifyPreference" not in shelf.objects[OBJECT["id"]]


async def test_ordered_failures_happen_once_and_only_then(
    world: GoogleWorld, client: Any
) -> None:
    classes = client.loyaltyclass()
    world.stand_in.fail_next(503)
    world.stand_in.fail_next(500, after_commit=True)

    assert await _status(classes.insert(body=CLASS)) == (503, "backendError")
    assert world.stand_in.classes == {}
    assert await _status(classes.insert(body=CLASS)) == (500, "backendError")
    assert CLASS["id"] in world.stand_in.classes
    await _run(classes.get(resourceId=CLASS["id"]))


async def test_a_body_that_is_no_json_object_is_refused(world: GoogleWorld) -> None:
    async with aiohttp.ClientSession() as session:
        url = f"{world.stand_in.url}/walletobjects/v1/loyaltyClass"
        for raw in (b"", b"[]", b"{"):
            async with session.post(url, data=raw) as response:
                assert response.status == 400
        async with session.post(url, json={}) as response:
            assert response.status == 401
