"""Pushes through real TLS and HTTP/2: every one ends, whatever the server does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from core.clock import Clock
from jobs.demo.apns import ApnsStandIn
from passes.apple.http2 import Answer
from passes.apple.push import (
    DeadToken,
    Delivered,
    Misconfigured,
    PushClient,
    PushOutcome,
    Retry,
    read_answer,
)
from tests.passes.apns_server import BadServer, Talk, bad_server
from tests.passes.apple_chain import NOW, PASS_TYPE, chain, load, signer, tls

EXPIRES = NOW + timedelta(hours=48)
GOOD = "a0" * 32


@pytest.fixture
async def apns() -> AsyncIterator[ApnsStandIn]:
    found = ApnsStandIn(tls(), [chain().root_pem, chain().wwdr_pem], Clock())
    await found.start()
    yield found
    await found.stop()


@asynccontextmanager
async def pushing(
    server: ApnsStandIn | BadServer, **options
) -> AsyncIterator[PushClient]:
    options = {"timeout": 5.0} | options
    topic = options.pop("topic", PASS_TYPE)
    context = options.pop("context", lambda: signer().tls_context(tls().ca_pem))
    client = PushClient(server.url, context, topic, **options)
    try:
        yield client
    finally:
        await client.close()


async def send(client: PushClient, token: str = GOOD) -> PushOutcome:
    async with asyncio.timeout(20):
        return await client.push(token, expires_at=EXPIRES)


async def many(client: PushClient, count: int) -> list[PushOutcome]:
    async with asyncio.timeout(20):
        return await asyncio.gather(
            *(send(client, f"a0{n:062x}") for n in range(count))
        )


async def in_the_end(client: PushClient) -> PushOutcome:
    """The outcome once it is no `Retry` any more, asked for as the outbox would."""
    async with asyncio.timeout(15):
        while isinstance(outcome := await send(client), Retry):  # noqa: ASYNC110 -- its pause ends by the clock alone
            await asyncio.sleep(0.05)
        return outcome


# --- as Apple documents it


async def test_a_push_carries_topic_expiry_and_an_empty_payload(apns):
    async with pushing(apns) as client:
        assert await send(client) == Delivered()
    (push,) = apns.pushes
    assert push.token == GOOD
    assert push.body == b"{}"
    assert push.peer == f"Pass Type ID: {PASS_TYPE}"
    asked = {k: v for k, v in push.headers.items() if k.startswith("apns-")}
    assert asked == {
        "apns-topic": PASS_TYPE,
        "apns-expiration": str(int(EXPIRES.timestamp())),
    }
    assert push.headers[":authority"] == apns.url.removeprefix("https://")


async def test_many_pushes_at_once_share_one_connection(apns):
    async with pushing(apns) as client:
        assert await many(client, 300) == [Delivered()] * 300
        assert await send(client) == Delivered()
    assert apns.n_connections == 1


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        ("dead1", DeadToken),
        ("expd1", DeadToken),
        ("bad1", DeadToken),
        ("othr1", DeadToken),
        ("forb1", Misconfigured),
        ("slow1", Retry),
        ("down1", Retry),
        ("nobody1", Retry),
        ("rst1", Retry),
    ],
)
async def test_every_answer_has_its_outcome_and_the_line_stays(apns, token, kind):
    async with pushing(apns) as client:
        assert isinstance(await send(client, token), kind)
        assert await send(client) == Delivered()
    assert apns.n_connections == 1


async def test_a_gone_token_says_since_when(apns):
    apns.unregistered_at = datetime(2026, 11, 23, 6, tzinfo=UTC)
    async with pushing(apns) as client:
        outcome = await send(client, "dead1")
    assert outcome == DeadToken("APNs answered 410 Unregistered", apns.unregistered_at)


async def test_a_foreign_topic_is_a_wrong_configuration(apns):
    async with pushing(apns, topic="pass.jp.other") as client:
        assert await send(client) == Misconfigured("APNs answered 400 TopicDisallowed")


async def test_an_answer_that_never_comes_is_reset_and_harms_no_other(apns):
    async with pushing(apns, timeout=0.3) as client:
        hanging, good = await asyncio.gather(send(client, "hang1"), send(client))
        assert hanging == Retry("no answer in time")
        assert good == Delivered()
        # The line is alive (it answers a ping), so it is kept.
        assert await send(client) == Delivered()
    assert apns.n_connections == 1


async def test_nothing_is_lost_when_the_server_says_goaway_again_and_again(apns):
    apns.goaway_after = 7
    async with pushing(apns) as client:
        outcomes = [await send(client, f"a0{n:062x}") for n in range(50)]
    assert outcomes == [Delivered()] * 50
    assert apns.n_connections >= 50 / 7
    assert len({push.token for push in apns.pushes}) == 50


async def test_goaway_amid_many_pushes_leaves_each_with_an_outcome(apns):
    apns.goaway_after = 30
    async with pushing(apns) as client:
        outcomes = await many(client, 100)
        for _ in range(10):
            left = [n for n, o in enumerate(outcomes) if o != Delivered()]
            if not left:
                break
            for n in left:
                outcomes[n] = await send(client, f"a0{n:062x}")
    assert outcomes == [Delivered()] * 100


# --- connecting


async def test_a_server_that_returns_is_found_again(apns):
    port = int(apns.url.rpartition(":")[2])
    async with pushing(apns) as client:
        assert await send(client) == Delivered()
        await apns.stop()
        assert isinstance(await send(client), Retry)
        await apns.start(port)
        assert await in_the_end(client) == Delivered()
    assert apns.n_connections == 2


async def test_while_nobody_answers_connections_are_rare(unused_tcp_port_factory):
    tries = []

    class Nowhere:
        url = f"https://127.0.0.1:{unused_tcp_port_factory()}"

    def context():
        tries.append(1)
        raise FileNotFoundError("ca.pem")

    async with pushing(Nowhere(), context=context) as client:
        outcomes = await many(client, 100)
    assert all(isinstance(outcome, Retry) for outcome in outcomes)
    assert len(tries) == 1


async def test_a_server_we_do_not_trust_gets_no_push(apns):
    async with pushing(apns, context=lambda: signer().tls_context(None)) as client:
        outcome = await send(client)
    assert isinstance(outcome, Retry)
    assert "verif" in outcome.reason.lower()
    assert apns.pushes == []


async def test_a_certificate_that_apns_refuses_is_a_wrong_configuration():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls().cert_pem, tls().key_pem)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(chain().root_pem)
    context.set_alpn_protocols(["h2"])

    async def refuse(reader, writer):
        # asyncio's own server closes without the alert that a TLS server sends.
        coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
        end = context.wrap_bio(coming, going, server_side=True)
        with contextlib.suppress(ssl.SSLCertVerificationError):
            while True:
                with contextlib.suppress(ssl.SSLWantReadError):
                    end.do_handshake()
                writer.write(going.read())
                coming.write(await reader.read(65536))
        writer.write(going.read())
        writer.write_eof()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)

    class Strict:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    stranger = load(chain("stranger"))
    async with pushing(
        Strict(), context=lambda: stranger.tls_context(tls().ca_pem)
    ) as client:
        outcome = await send(client)
    server.close()
    await server.wait_closed()
    assert isinstance(outcome, Misconfigured)
    assert "certificate" in outcome.reason


async def test_a_server_without_http2_is_told(tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls().cert_pem, tls().key_pem)

    async def hello(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hello, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]

    class Old:
        url = f"https://127.0.0.1:{port}"

    async with pushing(Old()) as client:
        outcome = await send(client)
    server.close()
    await server.wait_closed()
    assert isinstance(outcome, Retry)
    assert "HTTP/2" in outcome.reason


async def test_a_server_that_accepts_and_says_nothing_times_out():
    with socket.create_server(("127.0.0.1", 0)) as mute:

        class Mute:
            url = f"https://127.0.0.1:{mute.getsockname()[1]}"

        async with pushing(Mute(), timeout=0.2) as client:
            outcome = await send(client)
    assert outcome == Retry("no connection to APNs in time")


async def test_a_closed_client_wants_to_be_asked_later(apns):
    async with pushing(apns) as client:
        await send(client)
    assert isinstance(await send(client), Retry)
    assert apns.n_connections == 1


async def test_closing_ends_what_is_under_way(apns):
    async with pushing(apns) as client:
        task = asyncio.create_task(send(client, "hang1"))
        await apns.wait_for_pushes(1)
    async with asyncio.timeout(5):
        assert isinstance(await task, Retry)


# --- what nobody documents


async def well(talk: Talk) -> None:
    await talk.answer_all()


async def test_no_more_streams_are_opened_than_the_server_allows():
    async with bad_server(well, streams=3) as server, pushing(server) as client:
        assert await many(client, 40) == [Delivered()] * 40
        assert server.talks[0].most_at_once <= 3
        assert len(server.talks) == 1


async def goaway_at_once(talk: Talk) -> None:
    await talk.hear_requests(1)
    talk.h2.close_connection()
    talk.flush()
    await talk.reader.read()


async def cut(talk: Talk) -> None:
    await talk.hear_requests(1)
    talk.writer.transport.abort()


async def garbage(talk: Talk) -> None:
    await talk.hear_requests(1)
    talk.writer.write(b"\x00\x00\x01\x00\x00\x00\x00\x00\x00x")  # DATA, stream 0
    await talk.reader.read()


async def answer_then_leave(talk: Talk) -> None:
    (stream,) = await talk.hear_requests(1)
    talk.answer(stream)
    talk.writer.close()


@pytest.mark.parametrize("script", [goaway_at_once, cut, garbage])
async def test_a_broken_connection_costs_no_push(script):
    # The first connection proves itself with one answer, then breaks.
    async def good_then_bad(talk: Talk) -> None:
        (stream,) = await talk.hear_requests(1)
        talk.answer(stream)
        await script(talk)

    async with bad_server(good_then_bad, well) as server, pushing(server) as client:
        assert await send(client) == Delivered()
        assert await send(client) == Delivered()
        assert len(server.talks) == 2


@pytest.mark.parametrize("script", [goaway_at_once, cut, garbage])
async def test_a_server_that_always_breaks_is_not_hammered(script):
    async with bad_server(script) as server, pushing(server) as client:
        outcomes = await many(client, 50)
        assert all(isinstance(outcome, Retry) for outcome in outcomes)
        assert len(server.talks) == 1


async def test_a_connection_that_ends_after_each_answer_is_replaced():
    async with bad_server(answer_then_leave) as server, pushing(server) as client:
        for _ in range(3):
            assert await send(client) == Delivered()
        assert len(server.talks) == 3


async def test_a_cancelled_stream_is_reset_on_the_wire():
    done = asyncio.Event()

    async def hang(talk: Talk) -> None:
        await talk.hear_requests(1)
        while not talk.cancelled:
            await talk.hear()
        done.set()
        await talk.answer_all()

    async with bad_server(hang) as server, pushing(server, timeout=0.2) as client:
        assert isinstance(await send(client), Retry)
        async with asyncio.timeout(5):
            await done.wait()
        assert await send(client) == Delivered()


async def test_a_caller_who_gives_up_leaves_the_others_alone():
    both_asked, gave_up = asyncio.Event(), asyncio.Event()

    async def slow(talk: Talk) -> None:
        streams = await talk.hear_requests(2)
        both_asked.set()
        await gave_up.wait()
        while not talk.cancelled:
            await talk.hear()
        for stream in set(streams) - set(talk.cancelled):
            talk.answer(stream)
        await talk.answer_all()

    async with bad_server(slow) as server, pushing(server) as client:
        one, two = (asyncio.create_task(send(client)) for _ in range(2))
        async with asyncio.timeout(5):
            await both_asked.wait()
            one.cancel()
            gave_up.set()
            assert await two == Delivered()


@pytest.mark.parametrize("last_words", [b"", b"HTTP/1.1 502 Bad Gateway\r\n\r\n"])
async def test_a_dead_line_is_found_by_its_silence_and_replaced(last_words):
    async def dead(talk: Talk) -> None:
        (stream,) = await talk.hear_requests(1)
        talk.answer(stream)
        talk.writer.write(last_words)
        # From here on as a cut cable: nothing is read, nothing is said.
        await asyncio.Event().wait()

    async with bad_server(dead, well) as server, pushing(server, timeout=0.2) as client:
        assert await send(client) == Delivered()
        assert await send(client) == Retry("no answer in time")
        assert await in_the_end(client) == Delivered()
        assert len(server.talks) == 2


async def test_a_quiet_line_is_pinged_and_kept():
    pings = asyncio.Queue()

    async def count(talk: Talk) -> None:
        while True:
            for stream in await talk.hear(pings):
                talk.answer(stream)

    async with bad_server(count) as server, pushing(server, ping_every=0.02) as client:
        assert await send(client) == Delivered()
        async with asyncio.timeout(5):
            for _ in range(3):
                await pings.get()
        assert await send(client) == Delivered()
        assert len(server.talks) == 1


async def test_huge_and_odd_answers_are_no_trouble():
    async def odd(talk: Talk) -> None:
        (stream,) = await talk.hear_requests(1)
        talk.answer(stream, 500, b"x" * 16000)
        (stream,) = await talk.hear_requests(1)
        talk.answer(stream, 410, b'{"timestamp": "soon"}')
        (stream,) = await talk.hear_requests(1)
        talk.answer(stream, 503, b"[]", **{"retry-after": "17"})
        await talk.answer_all()

    async with bad_server(odd) as server, pushing(server) as client:
        assert await send(client) == Retry("APNs answered 500")
        assert await send(client) == DeadToken("APNs answered 410", None)
        assert await send(client) == Retry("APNs answered 503", 17.0)
        assert await send(client) == Delivered()


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [
        (400, "BadTopic", Misconfigured("APNs answered 400 BadTopic")),
        (400, "MissingTopic", Misconfigured("APNs answered 400 MissingTopic")),
        (403, "Forbidden", Misconfigured("APNs answered 403 Forbidden")),
        (400, "IdleTimeout", Retry("APNs answered 400 IdleTimeout")),
        (429, "TooManyRequests", Retry("APNs answered 429 TooManyRequests", 120.0)),
        (418, "", Retry("APNs answered 418")),
    ],
)
def test_other_reasons_are_read(status, reason, outcome):
    body = json.dumps({"reason": reason}).encode()
    answer = Answer(status=status, retry_after=None, body=body)
    assert read_answer(answer) == outcome


@pytest.mark.parametrize("stamp", [1e30, -1e30, True, None, "x", []])
def test_an_impossible_time_is_no_time(stamp):
    body = json.dumps({"reason": "Unregistered", "timestamp": stamp}).encode()
    found = read_answer(Answer(status=410, retry_after=None, body=body))
    assert isinstance(found, DeadToken)
