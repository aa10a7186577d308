"""A merchant's own systems are told what happens: signed, again after failures, and
never inside the network of the service.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import jsonschema
import pytest
from aiohttp import web
from sqlalchemy import func, select

from core.actions.cards import load_card
from core.actions.erase import erase_customer
from core.actions.grant import grant_stamps
from core.actions.hooks import (
    keep_body,
    ping_hook,
    remove_hook,
    resend,
    resume_hook,
    roll_secret,
)
from core.actions.join import follow
from core.actions.merchants import load_merchant
from core.actions.passes import hold_pass, mark_installed, register_device
from core.actions.passes import unregister_device as unregister
from core.actions.redeem import redeem_voucher
from core.actions.undo import undo_grant
from core.links import Links
from core.rules.asking import StampAsk
from core.rules.hooks import signature
from core.rules.types import Limit, Reward
from core.store.probes import count_outbox_behind
from core.store.tables import hook_delivery, metadata, outbox
from jobs import retention
from jobs.check_database import check_deliveries
from jobs.parts import Parts
from jobs.pump import BACK_OFF, Pump
from jobs.serve import running
from tests.builders import build_shop, coffee, person
from tests.jobs.hook_house import SECRET, Office, consuming, office
from webhooks.api.hook_body import hook_body
from webhooks.api.openapi import document


@pytest.fixture
def local(settings):
    """Settings of a demo: the service is on this machine only."""
    return settings.model_copy(update={"public_url": "http://127.0.0.1:8080"})


@pytest.fixture
async def shop(db, vault, clock):
    design = coffee(goal=3, limit=Limit(), rewards=(Reward(at=3, name="コーヒー1杯"),))
    return await build_shop(db, vault, clock.now(), design=design)


@pytest.fixture
async def consumer():
    async with consuming() as consumer:
        yield consumer


@pytest.fixture
async def desk(db, local, vault, clock, shop):
    async with office(db, local, vault, clock, shop) as made:
        yield made


async def a_card(desk):
    merchant = desk.shop.merchant.id
    (card,) = await desk.db.write(
        follow, merchant, person(), "follow", desk.clock.now()
    )
    return card


async def stamps(desk, card, n=1, key="k"):
    ask = StampAsk(
        merchant_id=desk.shop.merchant.id, key=key, how="api", card_id=card, stamps=n
    )
    return await desk.db.write(grant_stamps, ask, desk.clock.now())


async def has_hooks(desk):
    return (await desk.db.read(load_merchant, desk.shop.merchant.id)).has_hooks


async def test_a_stamp_is_told_with_its_card_and_entry_and_signed(
    desk, consumer, clock
):
    await desk.hook(f"{consumer.url}?from=stamps", ("stamp.granted",))
    card = await a_card(desk)
    given = await stamps(desk, card, 2)
    await desk.pump.drain()

    (taken,) = consumer.taken
    assert taken.headers["Content-Type"] == "application/json"
    assert taken.headers["User-Agent"] == "stampcard-webhook/1"
    assert taken.headers["X-Stampcard-Event"] == "stamp.granted"
    assert taken.headers["X-Stampcard-Signature"] == signature(
        SECRET, taken.raw.decode(), clock.now()
    )
    (line,) = await desk.log()
    assert taken.headers["X-Stampcard-Delivery"] == line.delivery.id
    assert (line.state, line.delivery.tries, line.delivery.status) == (
        "delivered",
        1,
        204,
    )
    assert set(taken.body) == {"id", "type", "created_at", "merchant", "data"}
    assert taken.body["merchant"] == "aozora"
    assert taken.body["created_at"] == "2026-11-23T15:00:00+09:00"
    assert set(taken.body["data"]) == {"card", "entry"}
    assert taken.body["data"]["entry"]["id"] == given.entry_id
    assert taken.body["data"]["entry"]["stamps"] == 2
    assert taken.body["data"]["card"]["balance"] == 2
    # A card's own nulls are there, as in the API's answers.
    assert taken.body["data"]["card"]["expires_at"] is None


async def test_each_event_is_told_once_and_fits_the_document(
    desk, consumer, shop, clock
):
    await desk.hook(consumer.url)
    db, merchant = desk.db, shop.merchant.id
    card = await a_card(desk)
    given = await stamps(desk, card)
    undo = {"by": None, "reason": "", "key": "undo", "now": clock.now()}
    await db.write(undo_grant, merchant_id=merchant, entry_id=given.entry_id, **undo)
    full = await stamps(desk, card, 3, key="full")
    await db.write(
        redeem_voucher,
        merchant_id=merchant,
        voucher_id=full.vouchers[0],
        by=None,
        key="use",
        now=clock.now(),
    )
    apple = await db.write(hold_pass, merchant, card, "apple", clock.now())
    for _ in range(2):
        await db.write(register_device, apple.id, "phone", "token", clock.now())
    for _ in range(2):
        await db.write(unregister, apple.id, "phone", clock.now())
    await desk.pump.drain()

    assert sorted(consumer.types) == sorted(
        [
            "card.issued",
            "stamp.granted",
            "stamp.undone",
            "stamp.granted",
            "voucher.issued",
            "voucher.redeemed",
            "pass.installed",
            "pass.removed",
        ]
    )
    assert consumer.of("stamp.undone")["data"]["entry"]["undoes"] == given.entry_id
    issued = consumer.of("voucher.issued")["data"]
    assert issued["voucher"]["id"] == full.vouchers[0]
    assert issued["card"]["id"] == card
    assert consumer.of("voucher.redeemed")["data"]["voucher"]["state"] == "redeemed"
    assert consumer.of("pass.installed")["data"]["pass"] == {
        "id": apple.id,
        "issuer": "apple",
    }
    ids = [taken.body["id"] for taken in consumer.taken]
    assert len(ids) == len(set(ids))
    said = document("https://x")
    for taken in consumer.taken:
        jsonschema.validate(
            taken.body,
            {
                "$ref": "#/components/schemas/HookAnswer",
                "components": said["components"],
            },
            format_checker=jsonschema.FormatChecker(),
        )


async def test_google_says_that_a_pass_was_saved(desk, consumer, shop, clock):
    await desk.hook(consumer.url, ("pass.installed", "pass.removed"))
    card = await a_card(desk)
    held = await desk.db.write(hold_pass, shop.merchant.id, card, "google", clock.now())
    for installed in (True, True, False):
        await desk.db.write(
            mark_installed, held.id, installed=installed, now=clock.now()
        )
    await desk.pump.drain()

    assert sorted(consumer.types) == ["pass.installed", "pass.removed"]


async def test_only_chosen_events_of_the_own_merchant_are_told(
    desk, consumer, db, vault, clock
):
    await desk.hook(consumer.url, ("voucher.issued",))
    other = await build_shop(db, vault, clock.now(), key="yamato", api_key="sk_other")
    await db.write(follow, other.merchant.id, person(), "f", clock.now())
    card = await a_card(desk)
    await stamps(desk, card)
    await desk.pump.drain()
    assert consumer.taken == []

    await stamps(desk, card, 2, key="full")
    await desk.pump.drain()
    assert consumer.types == ["voucher.issued"]


async def test_what_is_refused_or_repeated_is_not_told(desk, consumer):
    await desk.hook(consumer.url, ("stamp.granted",))
    card = await a_card(desk)
    await stamps(desk, card)
    await stamps(desk, card)
    await stamps(desk, "01UNKNOWN", key="other")
    await desk.pump.drain()

    assert consumer.types == ["stamp.granted"]


async def test_two_webhooks_are_told_of_the_same_event(desk, consumer):
    await desk.hook(f"{consumer.url}/1", ("stamp.granted",))
    await desk.hook(f"{consumer.url}/2", ("stamp.granted",), secret="whsec_other")
    await stamps(desk, await a_card(desk))
    await desk.pump.drain()

    one, two = consumer.taken
    assert one.body["id"] == two.body["id"]
    assert one.headers["X-Stampcard-Delivery"] != two.headers["X-Stampcard-Delivery"]
    assert one.headers["X-Stampcard-Signature"] != two.headers["X-Stampcard-Signature"]


async def test_a_retry_sends_the_same_bytes_with_a_fresh_signature(
    desk, consumer, clock
):
    await desk.hook(consumer.url, ("stamp.granted",))
    card = await a_card(desk)
    consumer.answers = [web.Response(status=500, text="canary of the answer"), None]
    given = await stamps(desk, card)
    await desk.pump.drain()
    # The card changes, and nothing else goes out that could come between.
    undo = {"by": None, "reason": "mistake", "key": "u", "now": clock.now()}
    merchant = desk.shop.merchant.id
    await desk.db.write(
        undo_grant, merchant_id=merchant, entry_id=given.entry_id, **undo
    )
    for _ in range(2):
        clock.move(seconds=30)
        await desk.pump.drain()

    tries = [t for t in consumer.taken if t.body["id"] == consumer.taken[0].body["id"]]
    assert len(tries) == 3
    assert len({taken.raw for taken in tries}) == 1
    assert len({taken.headers["X-Stampcard-Signature"] for taken in tries}) == 3
    assert len({taken.headers["X-Stampcard-Delivery"] for taken in tries}) == 1
    assert {line.state for line in await desk.log()} == {"delivered"}
    assert "canary of the answer" not in await everything(desk.db)


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (web.Response(status=500), 500, "status"),
        (web.Response(status=404), 404, "status"),
        (web.Response(status=302, headers={"Location": "/else"}), 302, "status"),
        (None, None, "connect"),
    ],
)
async def test_whatever_is_not_2xx_waits_for_another_try(
    desk, consumer, clock, answer, status, error
):
    await desk.hook(consumer.url, ("card.issued",))
    if answer is not None:
        answer = web.Response(status=answer.status, headers=answer.headers)
    consumer.answers = [answer]
    await a_card(desk)
    await desk.pump.drain()

    (line,) = await desk.log()
    made = line.delivery
    assert (line.state, made.status, made.error) == ("waiting", status, error)
    assert (made.tries, made.tried_at) == (1, clock.now())
    assert line.next_at > clock.now()
    assert len(consumer.taken) == 1
    clock.move(seconds=2)
    await desk.pump.drain()
    assert (await desk.log())[0].state == "delivered"


async def test_who_asks_to_wait_is_not_asked_before(desk, consumer, clock):
    await desk.hook(consumer.url, ("card.issued",))
    consumer.answers = [web.Response(status=429, headers={"Retry-After": "600"})]
    await a_card(desk)
    await desk.pump.drain()

    (line,) = await desk.log()
    assert line.next_at >= clock.now() + timedelta(minutes=10)


async def test_who_does_not_answer_in_time_is_asked_again(
    db, local, vault, clock, shop, monkeypatch
):
    monkeypatch.setattr("jobs.hooks.SECONDS", 0.3)
    async with (
        consuming(silent=True) as consumer,
        office(db, local, vault, clock, shop) as desk,
    ):
        await desk.hook(consumer.url, ("card.issued",))
        await a_card(desk)
        await desk.pump.drain()

        (line,) = await desk.log()
        assert (line.state, line.delivery.error) == ("waiting", "timeout")


async def test_who_is_gone_for_good_is_told_nothing_more_until_resumed(
    desk, consumer, shop, clock
):
    hook = await desk.hook(consumer.url)
    consumer.answers = [web.Response(status=410)]
    card = await a_card(desk)
    await desk.pump.drain()

    (line,) = await desk.log()
    assert (line.state, line.delivery.error) == ("failed", "gone")
    assert not await has_hooks(desk)
    await stamps(desk, card)
    await desk.db.write(
        ping_hook, shop.merchant.id, hook.id, shop.owner.id, clock.now()
    )
    clock.move(days=3)
    await desk.pump.drain()
    assert len(consumer.taken) == 1
    assert [line.delivery.error for line in await desk.log()] == ["stopped", "gone"]

    who = (shop.owner.id, clock.now())
    await desk.db.write(resume_hook, shop.merchant.id, hook.id, *who)
    await stamps(desk, card, key="after")
    await desk.pump.drain()
    assert consumer.types[1:] == ["stamp.granted"]


async def test_what_waits_for_a_webhook_that_is_gone_ends_with_it(
    desk, consumer, clock
):
    await desk.hook(consumer.url, ("card.issued", "stamp.granted"))
    consumer.answers = [web.Response(status=500), web.Response(status=410)]
    card = await a_card(desk)
    await desk.pump.drain()
    await stamps(desk, card)
    await desk.pump.drain()
    clock.move(days=3)
    await desk.pump.drain()

    assert len(consumer.taken) == 2
    assert [line.state for line in await desk.log()] == ["failed", "failed"]


async def test_a_removed_webhook_gets_nothing_of_what_waited(
    desk, consumer, shop, clock
):
    hook = await desk.hook(consumer.url, ("card.issued",))
    await a_card(desk)
    await desk.db.write(
        remove_hook, shop.merchant.id, hook.id, shop.owner.id, clock.now()
    )
    await desk.pump.drain()

    assert consumer.taken == []
    (line,) = await desk.log()
    assert (line.state, line.url, line.delivery.error) == ("failed", "", "stopped")
    assert not await has_hooks(desk)


async def test_after_the_last_back_off_it_has_failed_until_sent_by_hand(
    desk, consumer, shop, local, vault, clock
):
    await desk.hook(consumer.url, ("card.issued",))
    consumer.answers = [web.Response(status=503) for _ in range(len(BACK_OFF) + 1)]
    await a_card(desk)
    for _ in range(len(BACK_OFF) + 3):
        await desk.pump.drain()
        clock.move(hours=30)

    (line,) = await desk.log()
    assert (line.state, line.next_at) == ("failed", None)
    assert line.delivery.tries == len(BACK_OFF) + 1 == len(consumer.taken)
    # It is the merchant's to mend: the operator's checks stay green.
    parts = Parts(settings=local, db=desk.db, vault=vault)
    assert [f.state for f in await check_deliveries(parts, clock.now())] == ["green"]
    assert await desk.db.read(count_outbox_behind) == 0

    await desk.db.write(
        resend, shop.merchant.id, line.delivery.id, shop.owner.id, clock.now()
    )
    await desk.pump.drain()
    (line,) = await desk.log()
    assert (line.state, line.delivery.tries) == ("delivered", len(BACK_OFF) + 2)
    assert len({taken.raw for taken in consumer.taken}) == 1


async def test_by_hand_what_waits_is_sent_at_once(desk, consumer, shop, clock):
    await desk.hook(consumer.url, ("card.issued",))
    wait = {"Retry-After": "3600"}
    consumer.answers = [web.Response(status=503, headers=wait) for _ in range(2)]
    await a_card(desk)
    await desk.pump.drain()
    clock.move(minutes=59)
    assert await desk.pump.drain() == 0

    for state in ("waiting", "delivered"):
        (line,) = await desk.log()
        await desk.db.write(
            resend, shop.merchant.id, line.delivery.id, shop.owner.id, clock.now()
        )
        await desk.pump.drain()
        assert [line.state for line in await desk.log()] == [state]


async def test_a_new_secret_signs_what_is_waiting(desk, consumer, shop, vault, clock):
    hook = await desk.hook(consumer.url, ("card.issued",))
    consumer.answers = [web.Response(status=500)]
    await a_card(desk)
    await desk.pump.drain()
    sealed = vault.seal("whsec_new", shop.merchant.id, "hook", hook.id)
    await desk.db.write(
        roll_secret, shop.merchant.id, hook.id, sealed, shop.owner.id, clock.now()
    )
    clock.move(seconds=2)
    await desk.pump.drain()

    old, new = consumer.taken
    assert new.headers["X-Stampcard-Signature"] == signature(
        "whsec_new", old.raw.decode(), clock.now()
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_a_public_service_never_connects_inside(
    db, settings, vault, clock, shop, consumer, host
):
    assert settings.is_https
    async with office(db, settings, vault, clock, shop) as desk:
        # Kept as if the name had been a public one at the time.
        await desk.hook(f"http://{host}:{consumer.port}/", ("card.issued",))
        await a_card(desk)
        await desk.pump.drain()

        (line,) = await desk.log()
        assert (line.state, line.delivery.error) == ("waiting", "private")
        assert consumer.taken == []


async def test_no_proxy_of_the_environment_is_asked(desk, consumer, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    await desk.hook(consumer.url, ("card.issued",))
    await a_card(desk)
    await desk.pump.drain()

    assert consumer.types == ["card.issued"]


async def test_deliveries_go_after_thirty_days_and_with_them_their_place_in_the_outbox(
    desk, consumer, local, vault, clock
):
    await desk.hook(consumer.url, ("card.issued", "stamp.granted"))
    card = await a_card(desk)
    await desk.pump.drain()
    clock.move(days=1)
    await stamps(desk, card)
    await desk.pump.drain()
    clock.move(days=29, seconds=1)
    parts = Parts(settings=local, db=desk.db, vault=vault)
    result = await retention.run(parts, clock.now())

    assert result["hook_deliveries"] == 1
    assert [line.delivery.type for line in await desk.log()] == ["stamp.granted"]
    topics = select(outbox.c.topic).where(outbox.c.topic.like("hook:%"))
    left = await desk.db.read(lambda tx: tx.execute(topics).all())
    assert len(left) == 1


async def test_each_of_two_pumps_takes_its_own_kind(desk, consumer, shop, clock):
    await desk.hook(consumer.url, ("card.issued",))
    passes = []

    async def refresh(delivery, now):
        passes.append(delivery.topic)

    wallets = Pump(desk.db, {"pass": refresh}, clock, never="hook")
    card = await a_card(desk)
    held = await desk.db.write(hold_pass, shop.merchant.id, card, "google", clock.now())
    await stamps(desk, card)

    assert await wallets.drain() == 1
    assert (passes, consumer.taken) == ([f"pass:{held.id}"], [])
    assert await desk.pump.drain() == 1
    assert consumer.types == ["card.issued"]


async def test_a_person_who_is_erased_is_in_no_kept_body(desk, consumer, shop, clock):
    await desk.hook(consumer.url, ("card.issued", "stamp.granted"))
    consumer.answers = [web.Response(status=500)]
    card = await a_card(desk)
    await desk.pump.drain()
    view = await desk.db.read(load_card, shop.merchant.id, card, clock.now())
    await stamps(desk, card)
    made = (await desk.log())[0].delivery
    links = Links(desk.vault, "http://127.0.0.1", clock)
    body = await desk.db.read(hook_body, shop.merchant, links, made, clock.now())
    await desk.db.write(
        erase_customer,
        merchant_id=shop.merchant.id,
        customer_id=view.customer.id,
        by=shop.owner,
        reason_code="left",
        now=clock.now(),
    )
    # The sender had read the person a moment before, and keeps the body after it.
    await desk.db.write(keep_body, shop.merchant.id, made.id, body)
    assert person().user_id in body
    assert person().user_id not in await everything(desk.db)

    clock.move(minutes=1)
    await desk.pump.drain()
    assert person().user_id.encode() in consumer.taken[0].raw
    for taken in consumer.taken[1:]:
        assert person().user_id.encode() not in taken.raw


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_the_running_service_sends_them(settings, clock, consumer):
    local = settings.model_copy(update={"public_url": "http://localhost:8080"})
    async with running(local, clock=clock, port=0) as service:
        shop = await build_shop(service.db, service.vault, clock.now())
        desk = Office(service.db, service.vault, clock, shop, service.hooks)
        await desk.hook(consumer.url, ("card.issued",))
        await a_card(desk)
        async with asyncio.timeout(20):
            await consumer.arrived.wait()

    assert consumer.types == ["card.issued"]


async def test_without_webhooks_nothing_is_written(desk):
    await stamps(desk, await a_card(desk))
    count = await desk.db.read(
        lambda tx: tx.execute(select(func.count()).select_from(hook_delivery)).scalar()
    )
    assert count == 0


async def everything(db):
    """Every row of every table as text."""

    def read(tx):
        return "".join(
            repr(tx.execute(select(table)).all()) for table in metadata.sorted_tables
        )

    return await db.read(read)
