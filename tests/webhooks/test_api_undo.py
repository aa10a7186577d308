"""Undoing grants and using vouchers as a POS does it, over real HTTP."""

from __future__ import annotations

import pytest

from core.rules.types import Limit, Reward
from core.vault import Vault
from tests.builders import build_shop, coffee
from tests.webhooks.rooms import serve_rooms
from tests.webhooks.test_api import Pos, a_card


@pytest.fixture
async def pos(db, settings, clock, vault):
    design = coffee(goal=2, limit=Limit(), rewards=(Reward(at=2, name="コーヒー"),))
    shop = await build_shop(db, vault, clock.now(), design=design)
    async with serve_rooms(db, settings, clock) as client:
        yield Pos(client, shop.api_key)


async def granted(pos, card, n=1):
    _, answer = await pos.post(f"/cards/{card['id']}/stamps", {"n": n})
    assert answer["outcome"] == "granted"
    return answer


async def a_voucher(pos):
    answer = await granted(pos, await a_card(pos), 2)
    [voucher] = answer["card"]["vouchers"]
    return answer, voucher


async def test_a_grant_is_taken_back_with_a_counter_entry(pos):
    answer = await granted(pos, await a_card(pos), 1)
    path = f"/entries/{answer['entry']['id']}/undo"

    status, undone = await pos.post(path, {"reason": "レジの打ちまちがい"})

    assert (status, undone["card"]["balance"]) == (200, 0)
    entry = undone["entry"]
    assert (entry["kind"], entry["stamps"]) == ("undo", -1)
    assert entry["undoes"] == answer["entry"]["id"]
    assert entry["reason"] == "レジの打ちまちがい"


async def test_without_a_body_or_with_an_empty_one_it_works_too(pos):
    card = await a_card(pos)
    for body in (None, {}):
        answer = await granted(pos, card)
        status, _ = await pos.post(f"/entries/{answer['entry']['id']}/undo", body)
        assert status == 200


async def test_the_same_key_undoes_once_and_answers_the_same(pos):
    card = await a_card(pos)
    one, two = await granted(pos, card), await granted(pos, card)
    path = f"/entries/{one['entry']['id']}/undo"

    first = await pos.post(path, {}, key="undo-1")
    again = await pos.post(path, {}, key="undo-1")

    assert first == again
    assert again[1]["card"]["balance"] == 1
    other = f"/entries/{two['entry']['id']}/undo"
    status, problem = await pos.post(other, {}, key="undo-1")
    assert (status, problem["code"]) == (422, "idempotency_key_reused")


async def test_a_second_undo_is_refused_with_its_reason(pos):
    answer = await granted(pos, await a_card(pos))
    path = f"/entries/{answer['entry']['id']}/undo"
    await pos.post(path, {})

    status, problem = await pos.post(path, {})

    assert (status, problem["code"]) == (409, "already_used")


async def test_undoing_the_filling_stamp_voids_its_voucher(pos):
    answer, voucher = await a_voucher(pos)

    _, undone = await pos.post(f"/entries/{answer['entry']['id']}/undo", {})

    assert undone["card"]["vouchers"] == []
    status, problem = await pos.post(f"/vouchers/{voucher['id']}/redeem", {})
    assert (status, problem["code"]) == (409, "void_voucher")


async def test_a_voucher_is_used_once_and_then_keeps_its_stamps(pos):
    answer, voucher = await a_voucher(pos)
    path = f"/vouchers/{voucher['id']}/redeem"

    status, used = await pos.post(path, None, key="r")

    assert (status, used) == (200, voucher | {"state": "redeemed"})
    assert await pos.post(path, None, key="r") == (200, used)
    for refused in (path, f"/entries/{answer['entry']['id']}/undo"):
        status, problem = await pos.post(refused, None)
        assert (status, problem["code"]) == (409, "already_used")
    _, ledger = await pos.get(f"/cards/{answer['card']['id']}/ledger")
    assert [e["kind"] for e in ledger["entries"]] == ["redeem", "stamp"]
    assert ledger["entries"][0]["shop"] == "main"


async def test_a_use_is_taken_back_for_ten_minutes(pos, clock):
    _, voucher = await a_voucher(pos)
    redeem, undo = (f"/vouchers/{voucher['id']}/{act}" for act in ("redeem", "undo"))

    status, problem = await pos.post(undo, {"shop": "main"})
    assert (status, problem["code"]) == (409, "unused_voucher")
    await pos.post(redeem, {"shop": "main"})
    assert await pos.post(undo, {}) == (200, voucher)
    await pos.post(redeem, {})
    clock.move(minutes=11)
    status, problem = await pos.post(undo, {})
    assert (status, problem["code"]) == (409, "too_late")


async def test_what_another_merchant_has_is_unknown(pos, db, clock, settings):
    answer, voucher = await a_voucher(pos)
    vault = Vault(settings.secret_key.get_secret_value())
    other = await build_shop(
        db, vault, clock.now(), key="yamato", api_key="sk_tests_only_another"
    )
    pos.headers = {"Authorization": f"Bearer {other.api_key}"}

    for path, code in (
        (f"/entries/{answer['entry']['id']}/undo", "no_such_entry"),
        (f"/vouchers/{voucher['id']}/redeem", "no_such_voucher"),
        (f"/vouchers/{voucher['id']}/undo", "no_such_voucher"),
    ):
        status, problem = await pos.post(path, {})
        assert (status, problem["code"]) == (404, code)


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/entries/none/undo", {}, 404, "no_such_entry"),
        ("/entries/none/undo", {"reason": "a\x00b"}, 422, "invalid"),
        ("/entries/none/undo", {"reason": "x" * 201}, 422, "invalid"),
        ("/entries/none/undo", {"why": "x"}, 422, "invalid"),
        ("/entries/none/undo", b"{", 400, "malformed_json"),
        ("/vouchers/none/redeem", {}, 404, "no_such_voucher"),
        ("/vouchers/none/redeem", {"shop": "nowhere"}, 404, "no_such_shop"),
        ("/vouchers/none/undo", [], 422, "invalid"),
    ],
)
async def test_what_is_wrong_has_a_stable_code(pos, path, body, status, code):
    found, problem = await pos.post(path, body)
    assert (found, problem["code"]) == (status, code)
