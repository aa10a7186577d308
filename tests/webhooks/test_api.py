"""The JSON API as a POS sees it, over real HTTP."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from urllib.parse import unquote

import jsonschema
import pytest

from core.actions.apply import apply_channel
from core.actions.grant import grant_stamps
from core.rules.asking import StampAsk
from core.rules.types import Limit, Reward
from core.vault import Vault
from tests.builders import BuiltShop, build_shop, coffee, person
from tests.webhooks.rooms import serve_rooms

PROBLEM = "application/problem+json"


class Pos:
    """A POS with a key, which checks each answer against the document."""

    def __init__(self, client, key):
        self.client = client
        self.headers = {"Authorization": f"Bearer {key}"}
        self.document = None

    async def call(self, method, path, body=None, *, key=None, **headers):
        given = self.headers | headers
        if key is not None:
            given["Idempotency-Key"] = key
        if isinstance(body, bytes):
            given.setdefault("Content-Type", "application/json")
            sent = {"data": body}
        else:
            sent = {} if body is None else {"json": body}
        answer = await self.client.request(
            method, f"/api/v1{path}", headers=given, **sent
        )
        found = json.loads(await answer.read())
        await self.check(method, path, answer, found)
        return answer.status, found

    async def post(self, path, body, **more):
        return await self.call("POST", path, body, **more)

    async def get(self, path, **more):
        return await self.call("GET", path, **more)

    async def check(self, method, path, answer, found):
        if self.document is None:
            response = await self.client.get("/api/v1/openapi.json")
            self.document = await response.json()
        template = next(t for t in self.document["paths"] if matches(t, path))
        said = self.document["paths"][template][method.lower()]["responses"]
        content = said[str(answer.status)]["content"]
        schema = content[answer.content_type]["schema"]
        jsonschema.validate(
            found,
            schema | {"components": self.document["components"]},
            format_checker=jsonschema.FormatChecker(),
        )


def matches(template, path):
    have, want = path.split("?")[0].split("/"), template.split("/")
    return len(have) == len(want) and all(
        w.startswith("{") or w == h for h, w in zip(have, want, strict=True)
    )


@pytest.fixture
async def pos(db, settings, clock, shop):
    async with serve_rooms(db, settings, clock) as client:
        yield Pos(client, shop.api_key)


@pytest.fixture
async def other(db, settings, clock, pos) -> BuiltShop:
    """Another merchant of the same service."""
    vault = Vault(settings.secret_key.get_secret_value())
    return await build_shop(
        db, vault, clock.now(), key="yamato", api_key="sk_tests_only_another"
    )


async def a_card(pos, **more):
    status, card = await pos.post("/cards", {"program": "coffee", **more})
    assert status == 201
    return card


def at(text):
    return datetime.fromisoformat(text)


# --- till codes -------------------------------------------------------------------


async def test_a_till_code_is_shown_as_link_digits_and_text(pos, clock):
    status, code = await pos.post(
        "/till-codes", {"shop": "main", "program": "coffee", "stamps": 2}
    )
    assert status == 201
    start, words = code["line_url"].split("/?")
    assert start == "https://line.me/R/oaMessage/%40aozora"
    assert unquote(words) == f"STAMP {code['code']}"
    assert code["qr_text"] == code["line_url"]
    assert len(code["digits"]) == 6
    assert at(code["expires_at"]) == clock.now() + timedelta(seconds=90)
    assert code["expires_at"].endswith("+09:00")


async def test_a_merchant_without_line_gets_the_bare_code(pos, db, shop, clock):
    gone = {
        "channel_id": "1",
        "sealed_secret": "",
        "sealed_previous_secret": None,
        "bot_user_id": "",
        "basic_id": "",
    }
    await db.write(apply_channel, shop.merchant.id, "line", gone, clock.now())
    body = {"shop": "main", "program": "coffee", "stamps": 1}
    _, code = await pos.post("/till-codes", body)
    assert (code["line_url"], code["qr_text"]) == ("", code["code"])


async def test_a_till_code_is_waiting_then_claimed_with_card_and_entry(
    pos, db, shop, clock
):
    _, code = await pos.post(
        "/till-codes", {"shop": "main", "program": "coffee", "stamps": 2}
    )
    path = f"/till-codes/{code['code']}"
    assert await pos.get(path) == (
        200,
        {"state": "waiting", "card": None, "entry": None},
    )

    claim = StampAsk(
        merchant_id=shop.merchant.id,
        key="line:1",
        how="line",
        code=code["code"],
        person=person(),
    )
    await db.write(grant_stamps, claim, clock.now())

    _, state = await pos.get(path)
    assert state["state"] == "claimed"
    assert state["card"]["balance"] == state["entry"]["balance"] == 2
    assert state["card"]["customer"]["name"] == "花子"
    assert state["entry"]["shop"] == "main"
    assert state["entry"]["card_id"] == state["card"]["id"]


async def test_a_till_code_expires_after_90_seconds(pos, clock):
    body = {"shop": "main", "program": "coffee", "stamps": 1}
    _, code = await pos.post("/till-codes", body)
    clock.move(seconds=91)
    _, state = await pos.get(f"/till-codes/{code['code'].lower()}")
    assert state["state"] == "expired"


async def test_the_same_key_gets_the_same_till_code_and_no_second_one(pos):
    body = {"shop": "main", "program": "coffee", "stamps": 1}
    first = await pos.post("/till-codes", body, key="sale-1")
    assert first == await pos.post("/till-codes", body, key="sale-1")
    assert first != await pos.post("/till-codes", body, key="sale-2")
    assert first != await pos.post("/till-codes", body)


async def test_a_key_used_for_another_till_code_is_refused(pos):
    body = {"shop": "main", "program": "coffee", "stamps": 1}
    await pos.post("/till-codes", body, key="sale-1")
    status, problem = await pos.post("/till-codes", body | {"stamps": 2}, key="sale-1")
    assert (status, problem["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"shop": "nowhere", "program": "coffee", "stamps": 1}, 404, "no_such_shop"),
        ({"shop": "main", "program": "tea", "stamps": 1}, 404, "no_such_program"),
        ({"shop": "main", "program": "coffee", "stamps": 0}, 422, "invalid"),
        ({"shop": "main", "program": "coffee", "stamps": 51}, 422, "invalid"),
        ({"shop": "main", "program": "coffee", "stamps": "1"}, 422, "invalid"),
        ({"shop": "main", "program": "coffee", "stamps": 1.5}, 422, "invalid"),
        ({"shop": "main", "program": "coffee", "stamps": True}, 422, "invalid"),
        ({"shop": "main", "program": "coffee"}, 422, "invalid"),
        ({"shop": "main", "program": "coffee", "stamps": 1, "x": 1}, 422, "invalid"),
        ([], 422, "invalid"),
        (b"{", 400, "malformed_json"),
        (b"", 400, "malformed_json"),
        (b'{"shop": "\xff"}', 400, "malformed_json"),
        (b'{"shop": "' + b"x" * 20_000 + b'"}', 413, "too_large"),
    ],
)
async def test_what_is_wrong_with_a_body_has_a_stable_code(pos, body, status, code):
    found, problem = await pos.post("/till-codes", body)
    assert (found, problem["code"], problem["status"]) == (status, code, status)


async def test_a_wrong_field_is_pointed_at(pos):
    _, problem = await pos.post(
        "/till-codes", {"shop": "main", "program": "coffee", "stamps": 99}
    )
    assert [e["pointer"] for e in problem["errors"]] == ["#/stamps"]


# --- keys and problems ------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer wrong", "Basic c2s6", "Bearer a b", "Bearer ü"]
)
async def test_without_a_known_key_nothing_is_answered(pos, value):
    pos.headers = {"Authorization": value} if value else {}
    for method, path in (("GET", "/cards/x"), ("POST", "/till-codes")):
        status, problem = await pos.call(method, path)
        assert (status, problem["code"]) == (401, "unauthorized")


async def test_a_missing_key_says_how_to_sign_in(pos):
    answer = await pos.client.get("/api/v1/cards/x")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.content_type == PROBLEM


async def test_titles_are_in_the_language_asked_for(pos):
    titles = {}
    for language in ("ja", "en-GB,en;q=0.9"):
        _, problem = await pos.get("/cards/none", **{"Accept-Language": language})
        titles[language[:2]] = problem["title"]
    assert titles == {
        "ja": "カードが見つかりません",
        "en": "There is no such card",
    }


async def test_a_form_is_not_json(pos):
    answer = await pos.client.post(
        "/api/v1/till-codes", data={"shop": "main"}, headers=pos.headers
    )
    assert answer.status == 415
    assert (await answer.json(content_type=PROBLEM))["code"] == (
        "unsupported_media_type"
    )


async def test_an_unknown_path_is_a_problem_too(pos):
    answer = await pos.client.get("/api/v1/nothing", headers=pos.headers)
    assert (answer.status, answer.content_type) == (404, PROBLEM)


@pytest.mark.parametrize("key", ["", "a b", "ü", "x" * 129])
async def test_a_key_that_cannot_be_kept_is_refused(pos, key):
    body = {"shop": "main", "program": "coffee", "stamps": 1}
    status, problem = await pos.post("/till-codes", body, key=key)
    assert (status, problem["code"]) == (400, "bad_idempotency_key")


# --- cards ------------------------------------------------------------------------


async def test_a_card_has_exactly_the_promised_fields(pos, links):
    card = await a_card(pos, name="太郎", external_id="pos-1")
    assert set(card) == {
        "id",
        "program",
        "version",
        "state",
        "balance",
        "goal",
        "cycle",
        "total",
        "remainder",
        "next_card",
        "expires_at",
        "next_reward",
        "vouchers",
        "member_no",
        "customer",
        "add_to_wallet_url",
    }
    assert (card["balance"], card["goal"], card["program"]) == (0, 10, "coffee")
    assert card["next_reward"] == {"at": 10, "name": "コーヒー1杯", "to_next": 10}
    assert card["customer"]["name"] == "太郎"
    assert card["customer"]["external_id"] == "pos-1"
    assert card["add_to_wallet_url"].startswith("https://stamps.example.jp/w/")


async def test_a_card_is_found_by_id_number_external_and_line_id(pos, db, shop, clock):
    card = await a_card(pos, external_id="pos/1 ü")
    code = await shop.till_code(clock.now())
    claim = StampAsk(
        merchant_id=shop.merchant.id,
        key="line:1",
        how="line",
        code=code.code,
        person=person(),
    )
    await db.write(grant_stamps, claim, clock.now())

    _, same = await pos.get(f"/cards/{card['id']}")
    assert same["id"] == card["id"]
    for query in (f"member_no={card['member_no']}", "external_id=pos%2F1%20%C3%BC"):
        _, found = await pos.get(f"/cards?{query}")
        assert [c["id"] for c in found["cards"]] == [card["id"]]
    _, found = await pos.get(f"/cards?line_user_id={person().user_id}")
    assert [c["balance"] for c in found["cards"]] == [1]
    assert await pos.get("/cards?member_no=0000-0000") == (200, {"cards": []})


@pytest.mark.parametrize(
    "query",
    ["", "member_no=1&external_id=2", "member_no=1&member_no=2", "x=1", "member_no="],
)
async def test_a_search_takes_exactly_one_name(pos, query):
    status, problem = await pos.get(f"/cards?{query}")
    assert (status, problem["code"]) == (422, "invalid")


async def test_the_same_key_opens_one_card(pos):
    one = await pos.post("/cards", {"program": "coffee"}, key="k")
    assert (
        one[1]["id"]
        == (await pos.post("/cards", {"program": "coffee"}, key="k"))[1]["id"]
    )
    status, problem = await pos.post(
        "/cards", {"program": "coffee", "external_id": "x"}, key="k"
    )
    assert (status, problem["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("name", ["", "a\x00b", "line\nbreak", "x" * 101, 5])
async def test_a_name_that_cannot_be_kept_is_refused(pos, name):
    status, _ = await pos.post("/cards", {"program": "coffee", "name": name})
    assert status == 422


async def test_half_a_surrogate_pair_is_not_json(pos):
    status, problem = await pos.post(
        "/cards", b'{"program": "coffee", "name": "\\ud83d"}'
    )
    assert (status, problem["code"]) == (400, "malformed_json")


# --- stamps -----------------------------------------------------------------------


async def test_stamps_are_granted_with_entry_and_card(pos, clock):
    card = await a_card(pos)
    status, answer = await pos.post(
        f"/cards/{card['id']}/stamps", {"n": 3, "shop": "main"}
    )
    assert status == 200
    assert answer["outcome"] == "granted"
    assert answer["card"]["balance"] == answer["entry"]["balance"] == 3
    assert (answer["entry"]["how"], answer["entry"]["shop"]) == ("api", "main")
    assert at(answer["entry"]["at"]) == clock.now()


async def test_a_second_stamp_of_the_day_is_refused_with_the_next_opening(pos):
    card = await a_card(pos)
    path = f"/cards/{card['id']}/stamps"
    await pos.post(path, {"n": 1, "shop": "main"})
    status, answer = await pos.post(path, {"n": 1, "shop": "main"})
    assert (status, answer["outcome"], answer["why"]) == (
        200,
        "refused",
        "already_today",
    )
    assert answer["retry_at"] == "2026-11-24T05:00:00+09:00"
    assert (answer["entry"], answer["card"]["balance"]) == (None, 1)


async def test_the_same_key_stamps_once_and_answers_the_same(pos):
    card = await a_card(pos)
    path = f"/cards/{card['id']}/stamps"
    first = await pos.post(path, {"n": 1, "shop": "main"}, key="sale-1")
    again = await pos.post(path, {"n": 1, "shop": "main"}, key="sale-1")
    assert first[1]["entry"] == again[1]["entry"]
    assert again[1]["card"]["balance"] == 1


async def test_a_key_used_for_another_card_stamps_nothing(pos):
    one, two = await a_card(pos), await a_card(pos)
    await pos.post(f"/cards/{one['id']}/stamps", {"n": 1}, key="sale-1")
    status, problem = await pos.post(
        f"/cards/{two['id']}/stamps", {"n": 1}, key="sale-1"
    )
    assert (status, problem["code"]) == (422, "idempotency_key_reused")
    _, card = await pos.get(f"/cards/{two['id']}")
    assert card["balance"] == 0


async def test_a_full_card_becomes_a_voucher(pos):
    card = await a_card(pos)
    _, answer = await pos.post(f"/cards/{card['id']}/stamps", {"n": 10})
    (voucher,) = answer["card"]["vouchers"]
    assert (voucher["name"], voucher["state"]) == ("コーヒー1杯", "issued")
    assert voucher["expires_at"].endswith("+09:00")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"amount": 500, "shop": "main"}, 422, "amount_not_configured"),
        ({"n": 1, "amount": 500}, 422, "invalid"),
        ({}, 422, "invalid"),
        ({"n": 0}, 422, "invalid"),
        ({"n": 51}, 422, "invalid"),
        ({"n": "1"}, 422, "invalid"),
        ({"n": 1, "shop": "nowhere"}, 404, "no_such_shop"),
    ],
)
async def test_what_cannot_be_stamped_says_why(pos, body, status, code):
    card = await a_card(pos)
    found, problem = await pos.post(f"/cards/{card['id']}/stamps", body)
    assert (found, problem["code"]) == (status, code)


async def test_an_unknown_card_gets_no_stamp(pos):
    status, problem = await pos.post("/cards/nobody/stamps", {"n": 1})
    assert (status, problem["code"]) == (404, "no_such_card")


# --- ledger -----------------------------------------------------------------------


async def test_the_ledger_comes_newest_first_in_pages(pos, clock):
    card = await a_card(pos)
    for n in (1, 2, 3):
        await pos.post(f"/cards/{card['id']}/stamps", {"n": n})
        clock.move(days=1)
    path = f"/cards/{card['id']}/ledger"
    _, first = await pos.get(f"{path}?limit=2")
    assert [e["stamps"] for e in first["entries"]] == [3, 2]
    _, rest = await pos.get(f"{path}?limit=2&next={first['next']}")
    assert [e["stamps"] for e in rest["entries"]] == [1]
    assert rest["next"] is None
    _, whole = await pos.get(path)
    assert (len(whole["entries"]), whole["next"]) == (3, None)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "next=NOTHERE", "next=", "before=1"]
)
async def test_a_page_that_is_none_is_refused(pos, query):
    card = await a_card(pos)
    status, problem = await pos.get(f"/cards/{card['id']}/ledger?{query}")
    assert (status, problem["code"]) == (422, "invalid")


# --- merchants are apart ----------------------------------------------------------


async def test_another_merchants_things_do_not_exist(pos, other, clock):
    card = await a_card(pos, external_id="pos-1")
    await pos.post(f"/cards/{card['id']}/stamps", {"n": 1})
    _, ledger = await pos.get(f"/cards/{card['id']}/ledger")
    _, code = await pos.post(
        "/till-codes", {"shop": "main", "program": "coffee", "stamps": 1}
    )
    theirs = Pos(pos.client, other.api_key)
    for method, path, body in (
        ("GET", f"/cards/{card['id']}", None),
        ("GET", f"/cards/{card['id']}/ledger", None),
        ("POST", f"/cards/{card['id']}/stamps", {"n": 1}),
        ("GET", f"/till-codes/{code['code']}", None),
    ):
        status, problem = await theirs.call(method, path, body)
        assert (status, "no_such" in problem["code"]) == (404, True)
    for query in (f"member_no={card['member_no']}", "external_id=pos-1"):
        assert await theirs.get(f"/cards?{query}") == (200, {"cards": []})
    mine = await a_card(theirs)
    status, _ = await theirs.get(
        f"/cards/{mine['id']}/ledger?next={ledger['entries'][0]['id']}"
    )
    assert status == 422


async def test_two_merchants_may_use_the_same_key(pos, other):
    body = {"shop": "main", "program": "coffee", "stamps": 1}
    theirs = Pos(pos.client, other.api_key)
    _, one = await pos.post("/till-codes", body, key="k")
    _, two = await theirs.post("/till-codes", body, key="k")
    assert one["code"] != two["code"]


async def test_a_card_of_several_rewards_names_the_nearest(db, settings, clock):
    vault = Vault(settings.secret_key.get_secret_value())
    design = coffee(
        rewards=(Reward(at=5, name="クッキー"), Reward(at=10, name="コーヒー1杯")),
        limit=Limit(),
    )
    built = await build_shop(db, vault, clock.now(), design=design)
    async with serve_rooms(db, settings, clock) as client:
        pos = Pos(client, built.api_key)
        card = await a_card(pos)
        _, answer = await pos.post(f"/cards/{card['id']}/stamps", {"n": 4})
        assert answer["card"]["next_reward"]["to_next"] == 1
        _, answer = await pos.post(f"/cards/{card['id']}/stamps", {"n": 1})
        assert answer["card"]["next_reward"]["at"] == 10
        assert [v["name"] for v in answer["card"]["vouchers"]] == ["クッキー"]


async def test_the_document_is_open_and_names_every_route(pos):
    answer = await pos.client.get("/api/v1/openapi.json")
    document = await answer.json()
    assert document["openapi"].startswith("3.1")
    served = {
        (route.method.lower(), route.resource.canonical)
        for route in pos.client.app.router.routes()
        if route.resource
        and route.resource.canonical.startswith("/api/v1/")
        and route.method != "HEAD"
    }
    named = {
        (method, f"/api/v1{path}")
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert served == named | {("get", "/api/v1/openapi.json")}
    jsonschema.Draft202012Validator.check_schema(
        {"$defs": document["components"]["schemas"]}
    )
