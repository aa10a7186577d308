"""Whatever is uploaded as a certificate: a clear word, and nothing is lost."""

from __future__ import annotations

import asyncio
import base64
import os
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from io import BytesIO

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from PIL import Image

from core.actions.channels import apple_credentials
from passes.apple.files import MOST_BYTES, MOST_KEY_BYTES
from passes.apple.unlock import CannotOpen, unlock
from tests.passes.apple_chain import chain, connect_apple, pems, tls
from tests.passes.openssl_apple import openssl_apple
from tests.webhooks.wallet_desk import acts, at_wallets


@cache
def photo() -> bytes:
    stream = BytesIO()
    Image.new("RGB", (90, 60), "#C0662B").save(stream, "JPEG")
    return stream.getvalue()


def good() -> dict[str, bytes]:
    found = pems(chain())
    return {name.removesuffix("_pem"): text.encode() for name, text in found.items()}


@cache
def curve_key() -> bytes:
    return openssl_apple().run("ecparam", "-name", "prime256v1", "-genkey", "-noout")


@cache
def key_of(bits: int) -> bytes:
    return openssl_apple().run("genrsa", str(bits))


@cache
def slow_key() -> bytes:
    """A password that is stretched two milliard times: two bytes less of the salt, and
    two more for the number of rounds.
    """
    apple = openssl_apple()
    apple.locked(good()["key"], "-iter", "1000")
    lines = (apple.folder / "locked.key").read_text().splitlines()[1:-1]
    der = base64.b64decode("".join(lines))
    at = der.index(b"\x02\x02\x03\xe8")
    salt = der[at - 8 : at]
    assert der[at - 10 : at - 8] == b"\x04\x08"
    slow = b"\x04\x06" + salt[:6] + b"\x02\x04\x7f\xff\xff\xff"
    der = der[: at - 10] + slow + der[at + 4 :]
    label = b"ENCRYPTED PRIVATE KEY-----\n"
    body = base64.encodebytes(der)
    return b"-----BEGIN " + label + body + b"-----END " + label


def many(pem: bytes, times: int) -> bytes:
    return (pem + b"\n") * times


@cache
def cases():
    """What is sent instead, and which field is to say what."""
    own, other = good(), pems(chain("other"))
    foreign_wwdr = other["wwdr_pem"].encode()
    apple = openssl_apple()
    mail = apple.pair("mail", kind="mail")
    mark = apple.pair("mark", kind="other")
    own_wwdr = (apple.folder / "wwdr.pem").read_bytes()
    tls_pem = tls().cert_pem.read_bytes()
    return {
        "nothing": ({"certificate": None, "key": None, "wwdr": None}, ["certificate"]),
        "empty": (dict.fromkeys(own, b""), ["certificate", "key", "wwdr"]),
        "blank": (dict.fromkeys(own, b" \r\n"), ["certificate", "key", "wwdr"]),
        "photo": (dict.fromkeys(own, photo()), ["certificate", "key", "wwdr"]),
        "noise": (
            dict.fromkeys(own, b"\x30" + os.urandom(3000)),
            ["certificate", "key", "wwdr"],
        ),
        "large": ({"certificate": b"x" * (MOST_BYTES + 1)}, ["certificate"]),
        "large key": ({"key": b"x" * (MOST_KEY_BYTES + 1)}, ["key"]),
        "key for certificate": ({"certificate": own["key"]}, ["certificate"]),
        "certificate for key": ({"key": own["certificate"]}, ["key"]),
        "another key": ({"key": other["key_pem"].encode()}, ["key"]),
        "no key": ({"key": None}, ["key"]),
        "no wwdr": ({"wwdr": None}, ["wwdr"]),
        "another wwdr": ({"wwdr": foreign_wwdr}, ["wwdr"]),
        "root for wwdr": ({"wwdr": chain().root_pem.read_bytes()}, ["wwdr"]),
        "locked key": (
            {"key": apple.locked(own["key"])},
            ["password"],
        ),
        "curve key": ({"key": curve_key()}, ["key"]),
        "short key": ({"key": key_of(1024)}, ["key"]),
        "huge key": ({"key": key_of(6144)}, ["key"]),
        "half a key": (
            {"key": own["key"][:900] + b"\n-----END PRIVATE KEY-----"},
            ["key"],
        ),
        "half a certificate": (
            {"certificate": own["certificate"][:700] + b"\n-----END CERTIFICATE-----"},
            ["certificate"],
        ),
        "server certificate": ({"certificate": tls_pem}, ["certificate"]),
        "wwdr for certificate": ({"certificate": own["wwdr"]}, ["certificate"]),
        "for mail": (
            {"certificate": mail[1], "key": mail[0], "wwdr": own_wwdr},
            ["certificate"],
        ),
        "two pass types": (
            {"certificate": mark[1], "key": mark[0], "wwdr": own_wwdr},
            ["certificate"],
        ),
        "markup in the name": (hostile_name(), ["certificate"]),
        "many locked": (
            {"key": many(apple.locked(own["key"]), 3)},
            ["key"],
        ),
        "everything wrong": (
            {"certificate": photo(), "key": b"", "wwdr": b"hello"},
            ["certificate", "key", "wwdr"],
        ),
    }


@cache
def hostile_name() -> dict[str, bytes]:
    apple = openssl_apple()
    apple.pair("hostile")
    request = (apple.folder / "x.csr").read_bytes()
    subject = "/UID=pass.<script>alert(1)<\\/script>/CN=Pass Type ID: x/OU=TEAM/C=JP"
    certificate = apple.answer(request, subject=subject)
    return {
        "certificate": certificate,
        "key": (apple.folder / "hostile.key").read_bytes(),
        "wwdr": (apple.folder / "wwdr.pem").read_bytes(),
    }


async def test_what_is_wrong_is_told_for_every_field_and_nothing_is_kept(
    db, settings, vault, clock, shop
):
    clock.at = datetime.now(UTC) + timedelta(minutes=1)
    async with at_wallets(db, settings, clock) as at:
        for name, (changes, fields) in cases().items():
            clock.move(minutes=2)
            files = {k: v for k, v in (good() | changes).items() if v is not None}
            await at.upload("/apple", **files)
            assert at.desk.status == 422, name
            assert sorted(at.problems()) == fields, name
            assert "いままでの接続" not in at.desk.page
            assert "<script>alert" not in at.desk.page
        assert at.apns.pushes == []
    assert await db.read(apple_credentials, shop.merchant.id) is None
    assert await acts(db) == []


async def test_a_wrong_upload_leaves_the_connection_in_force(
    db, settings, vault, clock, shop
):
    await connect_apple(shop, vault, clock.now())
    before = await db.read(apple_credentials, shop.merchant.id)
    async with at_wallets(db, settings, clock) as at:
        for name in ("photo", "another key", "everything wrong"):
            await at.upload("/apple", **(good() | cases()[name][0]))
            assert at.desk.status == 422
            assert "いままでの接続はそのまま" in at.desk.page
        assert await db.read(apple_credentials, shop.merchant.id) == before
        await at.press("/apple/test")
        assert "受け付けました" in at.part("trial-apple")


async def test_more_than_a_form_may_have_is_refused_as_a_whole(
    db, settings, vault, clock, shop
):
    async with at_wallets(db, settings, clock) as at:
        await at.upload("/apple", certificate=b"x" * 2**21)
        assert at.desk.status == 413


async def test_a_request_instead_of_the_certificate_is_told(
    db, settings, vault, clock, shop
):
    async with at_wallets(db, settings, clock) as at:
        await at.upload("/apple", certificate=await at.request())
        assert "証明書リクエストです" in at.problems()["certificate"]


async def test_certificates_before_and_after_their_time_are_told(
    db, settings, vault, clock, shop
):
    leaf = x509.load_pem_x509_certificate(good()["certificate"])
    async with at_wallets(db, settings, clock) as at:
        for at_time, words in (
            (leaf.not_valid_before_utc - timedelta(hours=1), "から有効です"),
            (leaf.not_valid_after_utc + timedelta(hours=1), "期限が切れています"),
        ):
            clock.at = at_time
            await at.desk.sign_in("owner@aozora.jp")
            await at.desk.get("/merchant/wallets")
            await at.upload("/apple", **good())
            assert words in at.problems()["certificate"]


async def test_two_uploads_at_once_leave_one_whole_connection(
    db, settings, vault, clock, shop
):
    other = pems(chain("other"))
    second = {k.removesuffix("_pem"): v.encode() for k, v in other.items()}
    async with at_wallets(db, settings, clock) as at:
        await asyncio.gather(*(at.upload("/apple", **f) for f in (good(), second)))
        await at.desk.get("/merchant/wallets")
        # "other" is of an authority that our APNs does not know; either may be last.
        assert "パスに署名でき" in at.part("trial-apple")
    found = await db.read(apple_credentials, shop.merchant.id)
    assert found.certificate_pem.encode() in (
        good()["certificate"],
        second["certificate"],
    )
    is_own = found.certificate_pem.encode() == good()["certificate"]
    assert (found.wwdr_pem.encode() == good()["wwdr"]) == is_own


async def test_too_many_tries_are_slowed_down(db, settings, vault, clock, shop):
    await connect_apple(shop, vault, clock.now())
    async with at_wallets(db, settings, clock) as at:
        for _ in range(12):
            await at.upload("/apple", certificate=b"hello")
            assert at.desk.status == 422
        await at.upload("/apple", certificate=b"hello")
        assert at.desk.status == 429
        clock.move(seconds=6)
        await at.desk.get("/merchant/wallets")
        await at.upload("/apple", certificate=b"hello")
        assert at.desk.status == 422


# --- locked files -----------------------------------------------------------------


async def test_a_file_that_takes_for_ever_is_cut_off_and_holds_nobody_up():
    opening = asyncio.create_task(unlock(slow_key(), "himitsu", seconds=1.0))
    turns = 0
    while not opening.done():
        await asyncio.sleep(0.01)
        turns += 1
    with pytest.raises(CannotOpen) as found:
        await opening
    assert found.value.trouble == "slow"
    # The library would have kept everybody from taking a single one.
    assert turns > 5


async def test_the_page_says_that_a_file_takes_too_long(
    db, settings, clock, shop, monkeypatch
):
    short = partial(unlock, seconds=0.5)
    monkeypatch.setattr("passes.apple.files.unlock", short)
    async with at_wallets(db, settings, clock) as at:
        files = good() | {"key": slow_key()}
        await at.upload("/apple", **files, password="himitsu")
        assert list(at.problems()) == ["key"]
        assert "時間がかかりすぎ" in at.problems()["key"]


@pytest.mark.parametrize("password", ["himitsu", "秘密のことば", "a b", '"\\\n'])
async def test_any_password_opens_what_it_locked(password):
    key = load_pem_private_key(good()["key"], None)
    lock = BestAvailableEncryption(password.encode())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
    clear = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert await unlock(pem, password) == clear
    with pytest.raises(CannotOpen) as found:
        await unlock(pem, password + "x")
    assert found.value.trouble == "password"
