"""Cards in Google Wallet, from the database to the stand-in and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from core.actions.apply import apply_channel
from core.actions.cards import load_face
from core.actions.channels import GOOGLE_ACCOUNT
from core.actions.grant import grant_stamps
from core.actions.join import open_card
from core.actions.passes import hold_pass, load_pass
from core.actions.publish import CardsTo, publish, save_draft
from core.clock import Clock
from core.config import Settings
from core.database import Database
from core.errors import DeliveryError
from core.links import Links
from core.rules.asking import Granted, StampAsk
from core.rules.face import CardFace, replaced_face
from core.rules.types import HeldPass, Look, MerchantId
from core.vault import Vault
from jobs.demo.google_wallet import GoogleStandIn
from passes.google.issuer import GoogleIssuer
from passes.google.save_link import SAVE_URL
from passes.sync import reconcile
from tests.builders import BuiltShop, coffee
from tests.conftest import ManualClock
from tests.google_schema import check_pair
from tests.jobs.google_world import GoogleWorld, google_world
from tests.passes.google_cards import ISSUER


@pytest.fixture
def database_kind() -> str:
    # What is tested here is the talk with Google; the database is a given.
    return "sqlite"


@dataclass
class Scene:
    """One card, held in Google Wallet, and everything around it."""

    db: Database
    shop: BuiltShop
    clock: ManualClock
    world: GoogleWorld
    issuer: GoogleIssuer
    held: HeldPass
    parts: tuple[Any, ...]
    n_stamps: int = 0

    @property
    def google(self) -> GoogleStandIn:
        return self.world.stand_in

    @property
    def name(self) -> str:
        return f"{ISSUER}.c.{self.held.id}"

    @property
    def class_name(self) -> str:
        return f"{ISSUER}.p.{self.shop.program.id}"

    @property
    def thing(self) -> dict[str, Any]:
        return self.google.objects[self.name]

    async def face(self) -> CardFace:
        merchant_id = self.shop.merchant.id
        now = self.clock.now()
        return await self.db.read(load_face, merchant_id, self.held.card_id, now)

    async def stamp(self) -> None:
        """A visit on the next day."""
        self.clock.move(days=1)
        self.n_stamps += 1
        ask = StampAsk(
            merchant_id=self.shop.merchant.id,
            key=f"visit-{self.n_stamps}",
            how="till",
            card_id=self.held.card_id,
        )
        granted = await self.db.write(grant_stamps, ask, self.clock.now())
        assert isinstance(granted, Granted)
        view = await self.db.read(load_pass, self.held.id, self.clock.now())
        assert view is not None
        self.held = view.held

    async def add(self) -> str:
        return await self.issuer.add_link(
            self.held, await self.face(), self.clock.now()
        )

    async def save(self) -> None:
        link = await self.add()
        await self.google.save(link.removeprefix(SAVE_URL))

    async def refresh(self) -> None:
        await self.issuer.refresh(self.held, await self.face(), self.clock.now())

    async def publish(self, cards: CardsTo = "move", **changes: Any) -> None:
        """The merchant publishes a new design."""
        ids = self.shop.merchant.id, self.shop.program.id
        now = self.clock.now()
        await self.db.write(save_draft, *ids, coffee(**changes), None, now)
        await self.db.write(publish, *ids, None, now, cards)

    async def another_card(self, number: int) -> HeldPass:
        """One more card in Google Wallet."""
        merchant_id, now = self.shop.merchant.id, self.clock.now()
        card_id = await self.db.write(
            open_card,
            merchant_id=merchant_id,
            program_key="coffee",
            key=f"another-{number}",
            now=now,
        )
        return await self.db.write(hold_pass, merchant_id, card_id, "google", now)

    async def look(self, held: HeldPass) -> HeldPass:
        """A pass as it is now."""
        view = await self.db.read(load_pass, held.id, self.clock.now())
        assert view is not None
        return view.held

    async def reconcile(self) -> None:
        """What a night does."""
        ids = self.shop.merchant.id, self.shop.program.id
        await reconcile(self.db, self.issuer, *ids, self.clock.now())

    def another_issuer(self) -> GoogleIssuer:
        """The issuer as another process has it, or the same one after a restart."""
        return GoogleIssuer(*self.parts)

    def methods(self) -> list[str]:
        """What was called since the last look."""
        short = {"loyaltyClass": "class", "loyaltyObject": "object"}
        done = [f"{c.method} {short[c.path.split('/')[3]]}" for c in self.google.calls]
        self.google.calls.clear()
        return done


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def scene(
    db: Database,
    shop: BuiltShop,
    clock: ManualClock,
    settings: Settings,
    vault: Vault,
    links: Links,
    session: aiohttp.ClientSession,
) -> AsyncIterator[Scene]:
    async with google_world(clock) as world:
        await connect(shop, vault, world.account, clock)
        merchant_id = shop.merchant.id
        card_id = await db.write(
            open_card,
            merchant_id=merchant_id,
            program_key="coffee",
            key="open",
            now=clock.now(),
        )
        held = await db.write(hold_pass, merchant_id, card_id, "google", clock.now())
        ours = settings.model_copy(update=world.settings)
        parts = (db, ours, vault, links, session, clock)
        issuer = GoogleIssuer(*parts, budget=1.0)
        yield Scene(db, shop, clock, world, issuer, held, parts)
        await issuer.close()


async def connect(
    shop: BuiltShop, vault: Vault, account: str, clock: ManualClock
) -> None:
    merchant_id = shop.merchant.id
    values = {
        "issuer_id": ISSUER,
        "sealed_service_account": vault.seal(account, merchant_id, GOOGLE_ACCOUNT),
    }
    await shop.db.write(apply_channel, merchant_id, "google", values, clock.now())


async def test_a_link_puts_class_and_card_at_google_and_only_names_them(
    scene: Scene,
) -> None:
    await scene.save()

    assert scene.methods() == ["POST class", "POST object"]
    assert scene.thing["hasUsers"] is True
    assert scene.thing["loyaltyPoints"]["balance"] == {"string": "0/10"}
    code = (await scene.face()).code
    assert scene.thing["barcode"]["value"] == f"https://stamps.example.jp/c/{code}"
    a_class = scene.google.classes[scene.class_name]
    assert (
        a_class["callbackOptions"]["url"] == "https://stamps.example.jp/google/aozora"
    )
    assert check_pair(a_class, scene.thing) == []


async def test_a_second_link_brings_the_card_up_to_date(scene: Scene) -> None:
    await scene.add()
    await scene.stamp()
    scene.methods()
    await scene.save()

    assert scene.methods() == ["POST object", "PATCH object"]
    assert scene.thing["loyaltyPoints"]["balance"] == {"string": "1/10"}


async def test_a_stamp_is_one_patch_and_rings_the_phone(scene: Scene) -> None:
    await scene.save()
    await scene.stamp()
    scene.methods()
    await scene.refresh()

    assert scene.methods() == ["PATCH object"]
    assert scene.thing["loyaltyPoints"]["balance"] == {"string": "1/10"}
    assert "hero-1-" in scene.thing["heroImage"]["sourceUri"]["uri"]
    assert scene.google.rings == [(scene.name, scene.clock.now())]


async def test_the_same_state_again_changes_nothing_and_rings_nobody(
    scene: Scene,
) -> None:
    await scene.save()
    await scene.stamp()
    await scene.refresh()
    before = dict(scene.thing)
    await scene.refresh()

    assert scene.thing == before
    assert len(scene.google.rings) == 1


async def test_an_update_long_after_the_visit_rings_nobody(scene: Scene) -> None:
    await scene.save()
    await scene.stamp()
    scene.clock.move(hours=2)
    await scene.refresh()

    assert scene.thing["loyaltyPoints"]["balance"] == {"string": "1/10"}
    assert scene.google.rings == []


async def test_a_card_that_google_never_had_is_made_by_its_first_update(
    scene: Scene,
) -> None:
    await scene.stamp()
    await scene.refresh()

    assert scene.thing["loyaltyPoints"]["balance"] == {"string": "1/10"}


async def test_a_class_that_google_lost_is_published_again(scene: Scene) -> None:
    await scene.add()
    scene.google.classes.clear()
    scene.google.objects.clear()
    scene.methods()
    await scene.refresh()

    assert scene.methods() == [
        "PATCH object",
        "POST object",
        "POST class",
        "POST object",
    ]
    assert scene.class_name in scene.google.classes


async def test_a_new_design_is_published_once_for_all_its_cards(scene: Scene) -> None:
    await scene.save()
    scene.methods()
    await scene.publish(name="新しいカード")
    for _ in range(3):
        await scene.refresh()

    assert scene.methods() == ["POST class", "PATCH class"] + ["PATCH object"] * 3
    assert scene.google.classes[scene.class_name]["programName"] == "新しいカード"


async def test_a_card_that_keeps_its_look_never_puts_it_back_on_the_others(
    scene: Scene,
) -> None:
    await scene.save()
    before = scene.thing["heroImage"]["sourceUri"]["uri"]
    await scene.publish("keep", name="新しいカード", look=Look(background="#113355"))
    await scene.issuer.publish_class(scene.shop.merchant.id, scene.shop.program.id)
    # After a restart nobody remembers what was published.
    restarted = scene.another_issuer()
    await restarted.refresh(scene.held, await scene.face(), scene.clock.now())
    await restarted.close()

    a_class = scene.google.classes[scene.class_name]
    assert a_class["programName"] == "新しいカード"
    assert a_class["hexBackgroundColor"] == "#113355"
    # Two looks live beside each other: the card's own picture is the old one.
    assert scene.thing["heroImage"]["sourceUri"]["uri"] == before
    assert (await scene.face()).program_name == "コーヒーカード"


async def test_the_look_that_was_published_last_wins_over_a_slow_older_one(
    scene: Scene,
) -> None:
    other, ids = scene.another_issuer(), (scene.shop.merchant.id, scene.shop.program.id)
    scene.google.latency = 0.5
    slow = asyncio.create_task(scene.issuer.publish_class(*ids))
    while not scene.google.calls:  # noqa: ASYNC110 -- no bell rings at a call
        await asyncio.sleep(0)
    scene.google.latency = 0.0
    await scene.publish(name="新しいカード")
    await other.publish_class(*ids)
    assert not slow.done()
    await slow
    await other.close()

    assert scene.google.classes[scene.class_name]["programName"] == "新しいカード"


async def test_publishing_a_class_that_is_there_patches_it(scene: Scene) -> None:
    for _ in range(2):
        await scene.issuer.publish_class(scene.shop.merchant.id, scene.shop.program.id)

    assert scene.methods() == ["POST class", "POST class", "PATCH class"]
    assert scene.google.classes[scene.class_name]["reviewStatus"] == "APPROVED"


@pytest.mark.parametrize("status", [500, 503, 429, None])
async def test_where_google_fails_the_link_carries_the_card_itself(
    scene: Scene, status: int | None
) -> None:
    await scene.issuer.publish_class(scene.shop.merchant.id, scene.shop.program.id)
    scene.google.fail_next(status, times=3)
    link = await scene.add()
    assert scene.google.objects == {}

    await scene.google.save(link.removeprefix(SAVE_URL))
    assert scene.thing["loyaltyPoints"]["balance"] == {"string": "0/10"}
    assert "heroImage" not in scene.thing


async def test_an_answer_that_got_lost_is_no_harm(scene: Scene) -> None:
    await scene.issuer.publish_class(scene.shop.merchant.id, scene.shop.program.id)
    scene.google.fail_next(503, after_commit=True)
    link = await scene.add()

    await scene.google.save(link.removeprefix(SAVE_URL))
    assert scene.thing["hasUsers"] is True


async def test_a_slow_google_is_not_waited_for_but_still_told(
    db: Database,
    scene: Scene,
    settings: Settings,
    vault: Vault,
    links: Links,
    session: aiohttp.ClientSession,
) -> None:
    moved = settings.model_copy(update=scene.world.settings)
    scene.issuer = GoogleIssuer(
        db, moved, vault, links, session, scene.clock, budget=0.05
    )
    await scene.issuer.publish_class(scene.shop.merchant.id, scene.shop.program.id)
    scene.google.latency = 0.3
    loop = asyncio.get_running_loop()
    before = loop.time()
    link = await scene.add()
    assert loop.time() - before < 0.25
    assert scene.google.objects == {}

    await scene.google.save(link.removeprefix(SAVE_URL))
    # What was under way finds the lean card and completes it.
    await scene.google.bell.until(
        lambda: scene.thing if "heroImage" in scene.thing else None, 5
    )
    await scene.issuer.close()


@pytest.mark.parametrize(
    ("status", "reason"), [(403, "permissionDenied"), (400, "invalid")]
)
async def test_a_link_that_could_not_work_is_not_given_out(
    scene: Scene, status: int, reason: str
) -> None:
    scene.google.fail_next(status, reason)

    with pytest.raises(DeliveryError, match=reason):
        await scene.add()


async def test_updates_of_one_card_go_one_after_another_and_the_newest_stays(
    scene: Scene,
) -> None:
    await scene.save()
    states = []
    for _ in range(5):
        await scene.stamp()
        states.append((scene.held, await scene.face()))
    now = scene.clock.now()

    # The newest is asked for first, the others arrive behind it.
    await asyncio.gather(
        *(scene.issuer.refresh(h, f, now) for h, f in reversed(states))
    )
    assert scene.thing["loyaltyPoints"]["balance"] == {"string": "5/10"}


async def test_a_full_card_holds_its_reward_and_starts_again(scene: Scene) -> None:
    await scene.save()
    for _ in range(10):
        await scene.stamp()
    await scene.refresh()
    assert scene.thing["loyaltyPoints"]["balance"] == {"string": "10/10"}
    assert scene.thing["secondaryLoyaltyPoints"]["balance"] == {"int": 1}
    assert scene.thing["state"] == "ACTIVE"

    await scene.stamp()
    await scene.refresh()
    assert scene.thing["loyaltyPoints"]["balance"] == {"string": "1/10"}


async def test_an_end_that_was_lifted_is_deleted_at_google(scene: Scene) -> None:
    ends = scene.clock.now() + timedelta(days=9)
    face = await scene.face()
    await scene.issuer.refresh(
        scene.held, replace(face, expires_at=ends), scene.clock.now()
    )
    assert "validTimeInterval" in scene.thing
    await scene.refresh()

    assert "validTimeInterval" not in scene.thing


@pytest.mark.parametrize("again", ["add", "refresh"])
async def test_a_pass_taken_back_is_an_empty_shell_until_it_comes_back(
    scene: Scene, again: str
) -> None:
    await scene.save()
    await scene.issuer.void(scene.held, await scene.face(), scene.clock.now())
    kept = {"id", "classId", "state", "textModulesData", "hasUsers"}
    assert scene.thing.keys() == kept
    assert scene.thing["state"] == "INACTIVE"

    await getattr(scene, again)()
    assert scene.thing["state"] == "ACTIVE"
    assert "barcode" in scene.thing
    assert "accountId" in scene.thing


async def test_a_link_of_before_does_not_bring_back_a_pass_taken_back_meanwhile(
    scene: Scene,
) -> None:
    await scene.save()
    face, now = await scene.face(), scene.clock.now()
    newer = replace(scene.held, changed_at=scene.held.changed_at + 1)

    await asyncio.gather(
        scene.issuer.void(newer, replaced_face(face, face.code), now),
        scene.issuer.add_link(scene.held, face, now),
    )

    assert scene.thing["state"] == "INACTIVE"
    assert "再発行" in str(scene.thing["textModulesData"])


async def test_taking_back_what_google_never_had_is_no_error(scene: Scene) -> None:
    await scene.issuer.void(scene.held, await scene.face(), scene.clock.now())

    assert scene.google.objects == {}


async def test_each_night_google_says_who_has_a_pass(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("passes.google.api.PAGE", 2)
    others = [await scene.another_card(n) for n in range(4)]
    for held in (scene.held, *others):
        await scene.issuer.add_link(held, await scene.face(), scene.clock.now())
    for held in (scene.held, others[0], others[3]):
        scene.google.objects[f"{ISSUER}.c.{held.id}"]["hasUsers"] = True
    scene.methods()

    await scene.reconcile()

    held = [await scene.look(each) for each in (scene.held, *others)]
    assert [each.installed for each in held] == [True, True, False, False, True]
    assert scene.methods() == ["GET object"] * 3

    scene.google.objects[scene.name]["hasUsers"] = False
    await scene.reconcile()
    assert not (await scene.look(scene.held)).installed


async def test_asking_who_has_a_pass_before_google_knows_any_is_no_error(
    scene: Scene,
) -> None:
    await scene.reconcile()
    assert not (await scene.look(scene.held)).installed


async def test_a_merchant_without_google_is_not_configured(scene: Scene) -> None:
    stranger = MerchantId("01KB00000000000000000NOBODY")

    assert await scene.issuer.configured(scene.shop.merchant.id)
    assert not await scene.issuer.configured(stranger)
    scene.held, face = replace(scene.held, merchant_id=stranger), await scene.face()
    with pytest.raises(DeliveryError) as caught:
        await scene.issuer.refresh(scene.held, face, scene.clock.now())
    assert caught.value.halts


async def test_a_new_service_account_is_used_from_the_next_call_on(
    scene: Scene, vault: Vault
) -> None:
    await connect(scene.shop, vault, '{"private_key": "x"}', scene.clock)
    with pytest.raises(DeliveryError, match="cannot be read"):
        await scene.add()

    await connect(scene.shop, vault, scene.world.account, scene.clock)
    await scene.save()


async def test_an_account_sealed_for_another_merchant_opens_for_nobody(
    scene: Scene, vault: Vault
) -> None:
    foreign = vault.seal(scene.world.account, "another", GOOGLE_ACCOUNT)
    values = {"issuer_id": ISSUER, "sealed_service_account": foreign}
    merchant_id = scene.shop.merchant.id
    await scene.db.write(
        apply_channel, merchant_id, "google", values, scene.clock.now()
    )

    with pytest.raises(DeliveryError) as caught:
        await scene.add()
    assert caught.value.halts


async def test_a_drill_that_moves_our_clock_does_not_move_googles(
    scene: Scene,
    settings: Settings,
    vault: Vault,
    links: Links,
    session: aiohttp.ClientSession,
) -> None:
    drill = Clock(timedelta(days=3))
    async with google_world(Clock()) as world:
        moved = settings.model_copy(update=world.settings)
        issuer = GoogleIssuer(scene.db, moved, vault, links, session, drill)

        await issuer.add_link(scene.held, await scene.face(), drill.now())
        assert scene.name in world.stand_in.objects


async def test_no_name_and_no_line_id_reaches_google(scene: Scene) -> None:
    merchant_id = scene.shop.merchant.id
    card_id = await scene.db.write(
        open_card,
        merchant_id=merchant_id,
        program_key="coffee",
        key="named",
        now=scene.clock.now(),
        name="山田花子",
        external_id="POS-77",
    )
    scene.held = await scene.db.write(
        hold_pass, merchant_id, card_id, "google", scene.clock.now()
    )
    link = await scene.add()

    sent = str([call.body for call in scene.google.calls]) + link
    assert "山田花子" not in sent
    assert "POS-77" not in sent
    assert card_id not in sent


# --- a code that changes ------------------------------------------------------------


async def test_a_card_turns_to_a_code_that_changes_and_back(scene: Scene) -> None:
    await scene.save()
    await scene.publish(changing_code=True)
    await scene.refresh()

    assert "barcode" not in scene.thing
    assert scene.thing["passConstraints"] == {"screenshotEligibility": "INELIGIBLE"}
    rotating = scene.thing["rotatingBarcode"]
    number = (await scene.face()).member_no
    digits = number.replace("-", "")
    assert rotating["valuePattern"] == (
        f"https://stamps.example.jp/c/T{digits}{{totp_value_0}}"
    )
    assert rotating["alternateText"] == number

    await scene.publish()
    await scene.refresh()
    assert not {"rotatingBarcode", "passConstraints"} & scene.thing.keys()
    assert scene.thing["barcode"]["alternateText"] == number


async def test_each_pass_has_a_secret_of_its_own_the_same_after_a_restart(
    scene: Scene,
) -> None:
    await scene.publish(changing_code=True)
    await scene.save()
    other = await scene.another_card(1)
    face = await scene.db.read(
        load_face, other.merchant_id, other.card_id, scene.clock.now()
    )
    await scene.issuer.add_link(other, face, scene.clock.now())
    first = _key_of(scene.thing)
    assert len(first) == 40
    assert first != _key_of(scene.google.objects[f"{ISSUER}.c.{other.id}"])

    again = scene.another_issuer()
    await again.refresh(scene.held, await scene.face(), scene.clock.now())
    await again.close()
    assert _key_of(scene.thing) == first


async def test_a_protected_card_that_is_taken_back_keeps_no_secret_at_google(
    scene: Scene,
) -> None:
    await scene.publish(changing_code=True)
    await scene.save()
    await scene.issuer.void(scene.held, await scene.face(), scene.clock.now())

    assert "rotatingBarcode" not in scene.thing


async def test_while_google_is_away_the_link_carries_no_secret_and_the_rest_follows(
    scene: Scene,
) -> None:
    await scene.publish(changing_code=True)
    await scene.save()
    await scene.issuer.void(scene.held, await scene.face(), scene.clock.now())
    other = await scene.another_card(1)
    face = await scene.db.read(
        load_face, other.merchant_id, other.card_id, scene.clock.now()
    )
    scene.google.latency = 3.0
    link = await scene.issuer.add_link(other, face, scene.clock.now())
    scene.google.latency = 0.0
    name = await scene.google.save(link.removeprefix(SAVE_URL))
    assert "barcode" not in scene.google.objects[name]
    assert "rotatingBarcode" not in scene.google.objects[name]

    await scene.issuer.refresh(other, face, scene.clock.now())
    assert _key_of(scene.google.objects[name])


def _key_of(thing: dict[str, Any]) -> str:
    [parameters] = thing["rotatingBarcode"]["totpDetails"]["parameters"]
    return str(parameters["key"])
