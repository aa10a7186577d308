"""What surrounds every request: headers, errors, forged forms, the log."""

from __future__ import annotations

import json
from io import BytesIO

import aiohttp
import pytest
import structlog
from structlog.testing import capture_logs

from tests.builders import API_KEY
from tests.webhooks.desk import at_desk
from tests.webhooks.rooms import serve_rooms
from webhooks import middleware
from webhooks.app import ROUTES

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)

OWNER = "owner@aozora.jp"
FILL = {
    "program_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "digest": "0" * 64,
    "version": "1",
    "code": "7K3Q9FJ2",
    "paper": "FFFFFF",
    "ink": "000000",
}


def every_get():
    """A path for every route that can be read."""
    for routes in ROUTES:
        for route in routes:
            if getattr(route, "method", "") == "GET":
                yield fill(route.path)


def fill(path: str) -> str:
    out, depth, name = "", 0, ""
    for letter in path:
        depth += letter == "{"
        if depth:
            name += letter
        else:
            out += letter
        if letter == "}":
            depth -= 1
            if not depth:
                out += FILL.get(name.strip("{}").split(":")[0], "x")
                name = ""
    return out


@pytest.mark.parametrize("path", sorted(set(every_get())))
async def test_every_page_carries_the_security_headers(db, settings, clock, shop, path):
    async with serve_rooms(db, settings, clock) as client:
        answer = await client.get(path, allow_redirects=False)

        assert answer.status < 500 or path == "/readyz"
        headers = answer.headers
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "max-age=31536000" in headers["Strict-Transport-Security"]
        assert headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
        assert "aiohttp" not in headers["Server"]
        if path.startswith(("/merchant", "/till")):
            assert headers["Cache-Control"] == "no-store"


async def test_without_tls_browsers_are_not_told_to_insist_on_it(
    db, settings, clock, shop
):
    async with at_desk(db, settings, clock) as desk:
        answer = await desk.get("/merchant/signin")

        assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "is_refused"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Origin": "https://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Origin": "http://127.0.0.1"}, False),
        ({}, False),
    ],
)
async def test_a_form_of_another_site_is_refused(
    db, settings, clock, shop, headers, is_refused
):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        form = {"csrf": desk.csrf, "language": "en", "next": "/merchant/"}

        answer = await desk.client.post(
            "/merchant/language", data=form, headers=headers
        )

        assert (answer.status == 403) == is_refused
        await desk.get("/merchant/")
        assert ('<html lang="ja">' in desk.page) == is_refused


@pytest.mark.parametrize("token", ["", "wrong", "00.00", "zz.zz", "é" * 32])
async def test_a_form_without_the_session_s_token_is_refused(
    db, settings, clock, shop, token
):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)

        await desk.send("/merchant/language", {"csrf": token, "language": "en"})

        assert desk.status == 403
        assert "もう一度お試しください" in desk.page


async def test_the_token_of_another_session_is_refused(db, settings, clock, shop):
    async with (
        at_desk(db, settings, clock) as one,
        at_desk(db, settings, clock) as other,
    ):
        await one.sign_in(OWNER)
        await other.sign_in(OWNER)

        await one.send("/merchant/language", {"csrf": other.csrf, "language": "en"})

        assert one.status == 403


async def test_a_script_may_send_the_token_as_a_header(db, settings, clock, shop):
    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)

        answer = await desk.client.post(
            "/merchant/language",
            data={"language": "en", "next": "/merchant/"},
            headers={"X-CSRF-Token": desk.csrf},
        )

        assert '<html lang="en">' in await answer.text()


async def test_errors_speak_the_reader_s_language(db, settings, clock, shop):
    async with at_desk(db, settings, clock) as desk:
        await desk.get("/nothing", headers={"Accept-Language": "ja"})
        assert desk.status == 404
        assert "ページが見つかりません" in desk.page

        await desk.get("/nothing", headers={"Accept-Language": "de"})
        assert "find this page" in desk.page


async def test_machines_get_problems_and_plain_words(db, settings, clock, shop):
    async with serve_rooms(db, settings, clock) as client:
        answer = await client.get(
            "/api/v1/nothing", headers={"Authorization": f"Bearer {API_KEY}"}
        )
        assert answer.content_type == "application/problem+json"
        assert json.loads(await answer.read())["code"] == "not_found"

        answer = await client.get("/line/aozora")
        assert answer.status == 405
        assert answer.headers["Allow"] == "POST"
        assert answer.content_type == "text/plain"


async def test_a_failure_shows_its_number_and_no_cause(
    db, settings, clock, shop, monkeypatch
):
    def fail(*_, **__):
        raise RuntimeError("secret-in-the-message")

    async with at_desk(db, settings, clock) as desk:
        await desk.sign_in(OWNER)
        monkeypatch.setattr("webhooks.merchant.home.line_channel", fail)
        with capture_logs() as logs:
            answer = await desk.get("/merchant/")

        assert answer.status == 500
        assert "secret-in-the-message" not in desk.page
        assert "Traceback" not in desk.page
        failure = next(line for line in logs if line["event"] == "request_failed")
        assert failure["error_id"] in desk.page
        assert failure["route"] == "/merchant/"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_log_tells_the_route_and_no_secret(
    db, settings, clock, shop, monkeypatch
):
    monkeypatch.setattr(middleware, "log", structlog.get_logger())
    async with at_desk(db, settings, clock) as desk:
        with capture_logs() as logs:
            await desk.get("/c/7K3Q9FJ2?token=geheim")

    line = next(entry for entry in logs if entry["event"] == "request")
    assert {"event", "log_level", "method", "route", "status", "ms", "ip"} == set(line)
    assert "7K3Q9FJ2" not in str(logs)
    assert "geheim" not in str(logs)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\xff\xfe=\xff", "application/x-www-form-urlencoded"),
        (b"nonsense", "multipart/form-data; boundary=x"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"a=b", "application/x-www-form-urlencoded; charset=nonsense"),
    ],
)
async def test_a_broken_form_is_the_sender_s_mistake(
    db, settings, clock, shop, body, kind
):
    async with at_desk(db, settings, clock) as desk:
        answer = await desk.client.post(
            "/merchant/signin", data=body, headers={"Content-Type": kind}
        )

        assert 400 <= answer.status < 500


async def test_a_body_over_one_mebibyte_is_refused(db, settings, clock, shop):
    async with at_desk(db, settings, clock) as desk:
        form = aiohttp.FormData({"email": "x"})
        form.add_field("file", BytesIO(b"x" * (2**20 + 1)), filename="x.png")

        await desk.send("/merchant/signin", form)

        assert desk.status == 413
        assert "1MBまで" in desk.page
