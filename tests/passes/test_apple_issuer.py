"""The Apple issuer on real databases: builds, pushes, forgets, survives bad keys."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from core.actions.apply import apply_channel
from core.actions.channels import apple_credentials
from core.actions.join import open_card
from core.actions.passes import hold_pass, load_pass, register_device
from core.clock import Clock
from core.config import Settings
from core.database import Database
from core.errors import DeliveryError
from core.links import Links
from core.vault import Vault
from jobs.demo.apns import ApnsStandIn
from jobs.demo.pass_file import open_pass
from passes.apple.issuer import AppleIssuer
from passes.artwork import Artwork
from passes.issuer import PassIssuer
from tests.builders import BuiltShop, build_shop
from tests.conftest import ManualClock
from tests.passes.apple_chain import (
    PASS_TYPE,
    TEAM,
    chain,
    connect_apple,
    is_signed,
    tls,
)


@pytest.fixture
async def apns(clock: ManualClock) -> AsyncIterator[ApnsStandIn]:
    found = ApnsStandIn(tls(), [chain().root_pem, chain().wwdr_pem], clock)
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
async def issuer(
    db: Database,
    settings: Settings,
    vault: Vault,
    links: Links,
    clock: ManualClock,
    apns: ApnsStandIn,
) -> AsyncIterator[AppleIssuer]:
    found = make_issuer(db, settings, vault, links, clock, apns)
    yield found
    await found.close()


def make_issuer(db, settings, vault, links, clock, apns) -> AppleIssuer:
    async def no_icon(*_):
        return None

    changes = {"apns_url": apns.url, "apns_ca_file": tls().ca_pem}
    return AppleIssuer(
        db, settings.model_copy(update=changes), vault, links, Artwork(no_icon), clock
    )


async def new_pass(shop: BuiltShop, clock: Clock, *tokens: str, key="card"):
    """A card's pass, registered by one device for each push token."""
    now = clock.now()
    card_id = await shop.db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="coffee",
        key=key,
        now=now,
    )
    held = await shop.db.write(hold_pass, shop.merchant.id, card_id, "apple", now)
    for token in tokens:
        await shop.db.write(register_device, held.id, f"device-{token}", token, now)
    return await view(shop, held.id, now)


async def view(shop, pass_id, now):
    return await shop.db.read(load_pass, pass_id, now)


async def test_it_is_a_pass_issuer(issuer, shop, vault, clock):
    one: PassIssuer = issuer
    assert not await one.configured(shop.merchant.id)
    await connect_apple(shop, vault, clock.now())
    assert await one.configured(shop.merchant.id)


async def test_a_built_pass_is_signed_and_whole(issuer, shop, vault, clock, tmp_path):
    await connect_apple(shop, vault, clock.now())
    found = await new_pass(shop, clock)
    content = open_pass(await issuer.build(found.held, found.face, clock.now()))
    assert content.serial == found.held.id
    assert content.info["passTypeIdentifier"] == PASS_TYPE
    assert content.info["teamIdentifier"] == TEAM
    token = content.info["authenticationToken"]
    assert issuer.is_token(found.held.id, token)
    assert not issuer.is_token(found.held.id, token[:-1])
    assert not issuer.is_token("01KBSOMEOTHERPASS000000000", token)
    assert content.info["barcodes"][0]["message"].endswith(f"/c/{found.face.code}")
    pictures = {name for name in content.files if name.endswith(".png")}
    assert pictures == {
        f"{kind}{scale}.png"
        for kind in ("icon", "logo", "strip", "artwork", "primaryLogo")
        for scale in ("", "@2x", "@3x")
    }
    files = content.files
    assert is_signed(tmp_path, files["manifest.json"], files["signature"], "cms")
    # Nobody's name and no id of the person leaves the house with it.
    assert found.face.card_id not in json.dumps(content.info)


async def test_the_link_leads_to_the_file(issuer, shop, vault, clock, links):
    await connect_apple(shop, vault, clock.now())
    found = await new_pass(shop, clock)
    link = await issuer.add_link(found.held, found.face, clock.now())
    assert link.startswith(f"{links.public_url}/w/")
    token = link.removeprefix(f"{links.public_url}/w/").removesuffix(".pkpass")
    lives = timedelta(hours=1)
    opened = links.read("wallet", token, lives=lives, now=clock.now())
    assert opened == found.face.code


async def test_every_phone_of_a_pass_is_told(issuer, apns, shop, vault, clock):
    await connect_apple(shop, vault, clock.now())
    found = await new_pass(shop, clock, "a01", "a02")
    await issuer.refresh(found.held, found.face, clock.now())
    assert {push.token for push in apns.pushes} == {"a01", "a02"}
    expires = int((clock.now() + timedelta(hours=48)).timestamp())
    for push in apns.pushes:
        assert push.headers["apns-topic"] == PASS_TYPE
        assert push.headers["apns-expiration"] == str(expires)


async def test_a_drills_clock_does_not_reach_apple(issuer, apns, shop, vault, clock):
    await connect_apple(shop, vault, clock.now())
    clock.offset = timedelta(hours=36)
    found = await new_pass(shop, clock, "a01")
    await issuer.refresh(found.held, found.face, clock.now())
    expires = int((clock.now() + timedelta(hours=12)).timestamp())
    assert apns.pushes[0].headers["apns-expiration"] == str(expires)


async def test_a_void_pass_is_pushed_so_that_phones_fetch_it(
    issuer, apns, shop, vault, clock
):
    await connect_apple(shop, vault, clock.now())
    found = await new_pass(shop, clock, "a01")
    await issuer.void(found.held, found.face, clock.now())
    assert [push.token for push in apns.pushes] == ["a01"]


async def test_a_pass_on_no_phone_needs_nothing(issuer, apns, shop, clock):
    # Not even a certificate.
    found = await new_pass(shop, clock)
    await issuer.refresh(found.held, found.face, clock.now())
    assert apns.n_connections == 0


@pytest.mark.parametrize("dead", ["dead1", "expd1", "bad1", "othr1"])
async def test_dead_tokens_are_forgotten_and_the_others_kept(
    issuer, apns, shop, vault, clock, dead
):
    await connect_apple(shop, vault, clock.now())
    found = await new_pass(shop, clock, dead, "a01")
    clock.move(seconds=5)
    await issuer.refresh(found.held, found.face, clock.now())
    now = await view(shop, found.held.id, clock.now())
    assert now.held.push_tokens == ("a01",)
    assert now.held.installed


async def test_a_token_that_registered_again_since_is_kept(
    issuer, apns, shop, vault, clock
):
    await connect_apple(shop, vault, clock.now())
    found = await new_pass(shop, clock, "dead1")
    apns.unregistered_at = clock.now() - timedelta(seconds=1)
    await issuer.refresh(found.held, found.face, clock.now())
    now = await view(shop, found.held.id, clock.now())
    assert now.held.push_tokens == ("dead1",)


async def test_what_may_pass_is_to_be_tried_again(issuer, apns, shop, vault, clock):
    await connect_apple(shop, vault, clock.now())
    found = await new_pass(shop, clock, "slow1", "down1", "dead1", "a01")
    with pytest.raises(DeliveryError) as error:
        await issuer.refresh(found.held, found.face, clock.now())
    assert not error.value.permanent
    assert not error.value.halts
    assert error.value.retry_after == 120
    now = await view(shop, found.held.id, clock.now())
    assert set(now.held.push_tokens) == {"slow1", "down1", "a01"}


async def test_a_refused_certificate_halts_and_keeps_every_token(
    issuer, apns, shop, vault, clock
):
    await connect_apple(shop, vault, clock.now())
    found = await new_pass(shop, clock, "forb1", "a01")
    with pytest.raises(DeliveryError) as error:
        await issuer.refresh(found.held, found.face, clock.now())
    assert error.value.halts
    now = await view(shop, found.held.id, clock.now())
    assert set(now.held.push_tokens) == {"forb1", "a01"}


async def test_without_a_certificate_everything_halts_clearly(issuer, shop, clock):
    found = await new_pass(shop, clock, "a01")
    for call in (issuer.build, issuer.refresh, issuer.void, issuer.add_link):
        with pytest.raises(DeliveryError, match="no Apple Wallet certificate") as error:
            await call(found.held, found.face, clock.now())
        assert error.value.halts


async def test_an_expired_certificate_signs_nothing_also_when_loaded_before(
    issuer, shop, vault, clock
):
    await connect_apple(shop, vault, clock.now())
    found = await new_pass(shop, clock)
    await issuer.build(found.held, found.face, clock.now())
    clock.move(days=3000)
    with pytest.raises(DeliveryError, match="expired") as error:
        await issuer.build(found.held, found.face, clock.now())
    assert error.value.halts


async def test_a_key_that_cannot_be_opened_halts_without_telling_it(
    issuer, shop, clock
):
    # As after a restore with another master key.
    await connect_apple(shop, Vault("another master key"), clock.now())
    found = await new_pass(shop, clock)
    with pytest.raises(DeliveryError, match="cannot be used") as error:
        await issuer.build(found.held, found.face, clock.now())
    assert error.value.halts
    assert "PRIVATE" not in str(error.value)


async def test_a_new_certificate_is_used_from_the_next_pass_on(
    issuer, apns, shop, vault, clock
):
    await connect_apple(shop, vault, clock.now())
    found = await new_pass(shop, clock, "a01")
    await issuer.refresh(found.held, found.face, clock.now())

    other = chain("renewed")
    await connect_apple(shop, vault, clock.move(seconds=1), other)
    files = open_pass(await issuer.build(found.held, found.face, clock.now())).files
    own = other.certificate_pem.read_bytes()
    assert der_of(own) in files["signature"]
    # The stand-in does not know the new authority, so the old line is not used.
    with pytest.raises(DeliveryError):
        await issuer.refresh(found.held, found.face, clock.now())
    assert len(apns.pushes) == 1


def der_of(pem: bytes) -> bytes:
    import ssl

    return ssl.PEM_cert_to_DER_cert(pem.decode())


async def test_one_key_is_loaded_once_for_many_at_the_same_time(
    issuer, shop, vault, clock, monkeypatch
):
    from passes.apple import connection

    loads = []
    real = connection.load_signer

    def counting(*args, **kwargs):
        loads.append(1)
        return real(*args, **kwargs)

    monkeypatch.setattr(connection, "load_signer", counting)
    await connect_apple(shop, vault, clock.now())
    found = await new_pass(shop, clock)
    await asyncio.gather(
        *(issuer.build(found.held, found.face, clock.now()) for _ in range(20))
    )
    assert len(loads) == 1


async def test_two_merchants_push_with_their_own_certificates(
    issuer, apns, shop, vault, clock
):
    await connect_apple(shop, vault, clock.now())
    other = await build_shop(shop.db, vault, clock.now(), key="midori", api_key="sk_2")
    mine = await new_pass(shop, clock, "a01")
    theirs = await new_pass(other, clock, "a02")
    await issuer.refresh(mine.held, mine.face, clock.now())
    with pytest.raises(DeliveryError, match="no Apple"):
        await issuer.refresh(theirs.held, theirs.face, clock.now())
    assert [push.token for push in apns.pushes] == ["a01"]


async def test_a_removed_certificates_column_swap_opens_nowhere(
    issuer, shop, vault, clock
):
    # One merchant's sealed key in another's row must not work.
    await connect_apple(shop, vault, clock.now())
    other = await build_shop(shop.db, vault, clock.now(), key="midori", api_key="sk_2")
    entered = await shop.db.read(apple_credentials, shop.merchant.id)
    stolen = {
        "pass_type_id": entered.pass_type_id,
        "team_id": entered.team_id,
        "certificate_pem": entered.certificate_pem,
        "sealed_key": entered.sealed_key,
        "wwdr_pem": entered.wwdr_pem,
    }
    now = clock.now()
    await shop.db.write(apply_channel, other.merchant.id, "apple", stolen, now)
    found = await new_pass(other, clock)
    with pytest.raises(DeliveryError, match="cannot be used"):
        await issuer.build(found.held, found.face, clock.now())
