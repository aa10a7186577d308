"""The test certificates and Apple's push stand-in, through real TLS and HTTP/2."""

import asyncio
import contextlib
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import h2.config
import h2.connection
import h2.events
import pytest
from cryptography import x509

from core.clock import Clock
from jobs.demo.apns import ANSWERS, ApnsStandIn
from jobs.demo.certificates import AppleFiles, TlsFiles, make_apple, make_tls

TOPIC = "pass.com.example.stamp"


@pytest.fixture(scope="module")
def apple(tmp_path_factory: pytest.TempPathFactory) -> AppleFiles:
    folder = tmp_path_factory.mktemp("apple")
    return make_apple(folder, TOPIC, "ABCDE12345", datetime.now(UTC))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return make_tls(tmp_path_factory.mktemp("tls"), datetime.now(UTC))


@pytest.fixture
async def apns(apple, tls) -> AsyncIterator[ApnsStandIn]:
    found = ApnsStandIn(tls, [apple.root_pem, apple.wwdr_pem], Clock())
    await found.start()
    yield found
    await found.stop()


class Client:
    """The smallest pusher: one connection, one answer at a time."""

    def __init__(self, apns: ApnsStandIn, tls: TlsFiles, apple: AppleFiles | None):
        context = ssl.create_default_context(cafile=tls.ca_pem)
        # What Python 3.13 does by itself.
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        context.set_alpn_protocols(["h2"])
        if apple is not None:
            context.load_cert_chain(apple.certificate_pem, apple.key_pem)
        self._context = context
        self._port = int(apns.url.rpartition(":")[2])

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._port, ssl=self._context
        )
        self._h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(header_encoding="utf-8")
        )
        self._h2.initiate_connection()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()

    async def push(self, token: str, body: bytes = b"{}", topic: str = TOPIC):
        """(status, body) of the answer, or the name of what came instead."""
        stream = self._h2.get_next_available_stream_id()
        headers = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "localhost"),
            (":path", f"/3/device/{token}"),
            ("apns-topic", topic),
        ]
        self._h2.send_headers(stream, headers)
        self._h2.send_data(stream, body, end_stream=True)
        self._writer.write(self._h2.data_to_send())
        return await self.end()

    async def end(self):
        """What comes next on the connection."""
        status, answer = 0, b""
        async with asyncio.timeout(5):
            while data := await self._reader.read(65536):
                for event in self._h2.receive_data(data):
                    if isinstance(event, h2.events.ResponseReceived):
                        status = int(dict(event.headers)[":status"])
                    elif isinstance(event, h2.events.DataReceived):
                        answer += event.data
                    elif isinstance(event, h2.events.StreamEnded):
                        return status, json.loads(answer) if answer else None
                    elif isinstance(event, h2.events.StreamReset):
                        return "reset"
                    elif isinstance(event, h2.events.ConnectionTerminated):
                        return "goaway"
        return "closed"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not here")
def test_the_chain_is_one_that_openssl_believes(apple: AppleFiles):
    subprocess.run(
        [
            *("openssl", "verify", "-x509_strict", "-CAfile", apple.root_pem),
            *("-untrusted", apple.wwdr_pem, apple.certificate_pem),
        ],
        check=True,
        capture_output=True,
    )


def test_the_pass_certificate_names_its_type_and_team(apple: AppleFiles):
    found = x509.load_pem_x509_certificate(apple.certificate_pem.read_bytes())
    names = {part.rfc4514_attribute_name: part.value for part in found.subject}
    assert names["UID"] == TOPIC
    assert names["OU"] == "ABCDE12345"
    assert names["CN"] == f"Pass Type ID: {TOPIC}"
    own = found.extensions.get_extension_for_oid(
        x509.ObjectIdentifier("1.2.840.113635.100.6.1.16")
    )
    assert own.value.value.endswith(TOPIC.encode())
    issuer = {part.rfc4514_attribute_name: part.value for part in found.issuer}
    assert issuer["OU"] == "G4"
    assert Path(apple.key_pem).stat().st_mode & 0o077 == 0


async def test_a_push_is_taken_and_noted(apns, tls, apple):
    heard = []
    apns.on_push = lambda token, topic: heard.append((token, topic))
    async with Client(apns, tls, apple) as client:
        assert await client.push("a0" * 32) == (200, None)
    (push,) = await apns.wait_for_pushes(1)
    assert push.body == b"{}"
    assert push.headers["apns-topic"] == TOPIC
    assert push.peer == f"Pass Type ID: {TOPIC}"
    assert heard == [("a0" * 32, TOPIC)]


async def test_a_client_without_the_certificate_is_not_let_in(apns, tls):
    answer = "closed"
    with contextlib.suppress(OSError):
        async with Client(apns, tls, None) as client:
            answer = await client.push("a0" * 32)
    assert answer == "closed"
    assert apns.pushes == []


@pytest.mark.parametrize("prefix", ANSWERS)
async def test_a_token_picks_its_failure(apns, tls, apple, prefix):
    status, reason = ANSWERS[prefix]
    async with Client(apns, tls, apple) as client:
        got, body = await client.push(f"{prefix}0001")
    assert got == status
    assert (body or {}).get("reason") == reason
    assert (status == 410) == ("timestamp" in (body or {}))


async def test_a_foreign_topic_and_a_fat_payload_are_refused(apns, tls, apple):
    async with Client(apns, tls, apple) as client:
        foreign = await client.push("a0" * 32, topic="pass.com.other")
        fat = await client.push("a0" * 32, body=b"x" * 5000)
    assert foreign == (400, {"reason": "TopicDisallowed"})
    assert fat == (413, {"reason": "PayloadTooLarge"})


async def test_streams_are_reset_hang_and_connections_go_away(apns, tls, apple):
    async with Client(apns, tls, apple) as client:
        assert await client.push("rst1") == "reset"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.push("hang1")
    apns.goaway_after = 1
    async with Client(apns, tls, apple) as client:
        assert await client.push("a0" * 32) in ((200, None), "goaway")
        assert await client.end() in ("goaway", "closed")
    assert apns.n_connections == 2
