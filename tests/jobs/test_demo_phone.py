"""The iPhone's side of Wallet, and the phone page, with a shop cut down to a stub."""

import asyncio
import shutil
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from io import BytesIO

import aiohttp
import pytest

from core.wording import keys
from jobs.demo.google_barcode import shown_code
from jobs.demo.google_wallet import SaveRefused
from jobs.demo.pass_file import BadPass, change_message, open_pass
from tests.conftest import ManualClock
from tests.jobs.demo_sample import CHANNEL, SERIAL, TYPE, Sample, pkpass

CHROMIUM = shutil.which("chromium")


@pytest.fixture
async def sample() -> AsyncIterator[Sample]:
    found = Sample()
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
async def web() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def do(web: aiohttp.ClientSession, sample: Sample, path: str, **body):
    async with web.post(sample.url + path, json=body) as answer:
        is_json = answer.content_type == "application/json"
        return answer.status, await answer.json() if is_json else None


async def look(web: aiohttp.ClientSession, sample: Sample, lang: str = "ja"):
    async with web.get(f"{sample.url}/state", params={"lang": lang}) as answer:
        return await answer.json()


# --- pass files ---------------------------------------------------------------------


def test_a_pass_is_read_in_both_languages():
    found = open_pass(pkpass(6))
    assert found.serial == SERIAL
    (stamps,) = found.fields("header", "en")
    assert (stamps["label"], stamps["value"]) == ("Stamps", "6/10")
    assert found.fields("auxiliary", "ja")[0]["value"] == "2027/11/23"
    assert found.fields("auxiliary", "en")[0]["value"] == "Nov 23, 2027"
    assert found.picture("strip", "ja") == found.files["strip@3x.png"]


def test_a_changed_file_is_refused_as_on_a_phone():
    whole = zipfile.ZipFile(BytesIO(pkpass(6)))
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in whole.namelist():
            content = whole.read(name)
            archive.writestr(name, content + b" " if name == "pass.json" else content)
    with pytest.raises(BadPass, match=r"pass\.json does not match"):
        open_pass(out.getvalue())
    with pytest.raises(BadPass, match="not a zip"):
        open_pass(b"<html>")


def test_the_lock_screen_says_what_changed_and_is_silent_otherwise():
    six, seven = open_pass(pkpass(6)), open_pass(pkpass(7))
    assert change_message(six, seven, "ja") == "スタンプが7/10になりました"
    assert change_message(six, seven, "en") == "Stamps: 7/10"
    assert change_message(six, six, "ja") is None
    redesigned = open_pass(pkpass(6, logoText="新しい名前"))
    assert change_message(six, redesigned, "ja") is None


# --- the iPhone ---------------------------------------------------------------------


async def test_a_pass_is_added_updated_by_a_push_and_removed(sample):
    serial = await sample.phone.add(f"{sample.service.url}/w/sample.pkpass")
    assert sample.phone.passes[serial].is_registered
    sample.service.balance = 7
    sample.phone.pushed("0" * 64, TYPE)
    sample.phone.pushed(sample.phone.push_token, TYPE)
    held = await sample.phone.wait_for_update(serial)
    assert held.file.fields("header", "ja")[0]["value"] == "7/10"
    assert [n.text for n in sample.phone.notices] == ["スタンプが7/10になりました"]
    await sample.phone.remove(serial)
    assert sample.phone.passes == {}
    assert sample.phone.problems == []


async def test_a_page_instead_of_a_pass_is_refused(sample):
    with pytest.raises(BadPass, match="image/png"):
        await sample.phone.add(f"{sample.service.url}/logo.png")


# --- the page -----------------------------------------------------------------------


async def test_a_newcomer_walks_the_three_steps(sample, web):
    assert (await look(web, sample))["steps"] == dict.fromkeys(
        ("friend", "stamp", "wallet"), False
    )
    assert (await do(web, sample, "/follow"))[1]["status"] == 200
    sample.open_code("7K3Q9FJ2")
    (code,) = (await look(web, sample))["codes"]
    assert code["text"] == "STAMP 7K3Q9FJ2"
    _, scanned = await do(web, sample, "/scan", code=code["line_url"])
    await do(web, sample, "/say", text=scanned["text"])
    link = f"{sample.service.url}/w/sample?openExternalBrowser=1"
    assert (await do(web, sample, "/wallet/apple", url=link))[1] == {"serial": SERIAL}
    assert (await do(web, sample, "/wallet/google", url=link))[0] == 200
    state = await look(web, sample, "en")
    assert state["steps"] == dict.fromkeys(("friend", "stamp", "wallet"), True)
    assert state["apple"][0]["fields"]["header"][0]["value"] == "7/10"
    google = state["google"][0]
    assert google["rows"][0][0] == {"label": "Stamps", "value": "7/10"}
    assert google["rows"][1][0]["value"] == "4 more for a coffee"
    assert google["above"] == [{"label": "", "value": "●●●●● ●○○○○"}]
    (strip,) = {p["pictures"]["strip"] for p in state["apple"]}
    async with web.get(sample.url + strip) as picture:
        assert picture.content_type == "image/png"


RFC_KEY = "3132333435363738393031323334353637383930"
ROTATING = {
    "type": "QR_CODE",
    "valuePattern": "X-{totp_timestamp_seconds}-{totp_value_0}-{totp_value_1}",
    "alternateText": "1234-5678",
    "totpDetails": {
        "algorithm": "TOTP_SHA1",
        "periodMillis": "30000",
        "parameters": [
            {"key": RFC_KEY, "valueLength": 8},
            {"key": RFC_KEY, "valueLength": 6},
        ],
    },
}


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (59, "X-59-94287082-287082"),
        (1111111109, "X-1111111109-07081804-081804"),
        (20000000000, "X-20000000000-65353130-353130"),
    ],
)
def test_a_code_that_changes_goes_before_one_that_stays(second, code):
    thing = {"barcode": {"value": "stays", "alternateText": "x"}}
    at = datetime.fromtimestamp(second, UTC)
    assert shown_code({}, at) == ("", "")
    assert shown_code(thing, at) == ("stays", "x")
    assert shown_code(thing | {"rotatingBarcode": ROTATING}, at) == (code, "1234-5678")


async def test_the_page_draws_a_new_code_by_itself(sample, web):
    sample.parts.clock = clock = ManualClock()
    link = f"{sample.service.url}/w/sample"
    await do(web, sample, "/wallet/google", url=link)
    sample.google.objects["3388.c.1"]["rotatingBarcode"] = ROTATING
    [first] = (await look(web, sample))["google"]
    assert first["is_changing"]
    assert first["code"].startswith(f"X-{int(clock.now().timestamp())}-")
    async with web.get(f"{sample.url}/events") as events, asyncio.timeout(20):
        await events.content.readline()
        clock.move(seconds=30)
        while not (await events.content.readline()).startswith(b"data:"):
            pass
    [second] = (await look(web, sample))["google"]
    assert second["code"] != first["code"]


async def test_a_place_is_sent_from_the_shop_or_from_some_way_off(sample, web):
    await do(web, sample, "/follow")
    for is_there, latitude in ((True, 35.6812), (False, 35.7082)):
        status, taken = await do(web, sample, "/place", is_there=is_there)
        assert (status, taken["status"]) == (200, 200)
        chat = (await look(web, sample))["chat"]
        [*_, sent] = [line["message"] for line in chat if line["who"] == "person"]
        assert (sent["type"], sent["title"]) == ("location", "位置情報")
        assert round(sent["latitude"], 4) == latitude


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("7K3Q9FJ2", "STAMP 7K3Q9FJ2"),
        (" stamp 7k3q9fj2 ", "stamp 7k3q9fj2"),
        ("https://line.me/R/oaMessage/%40aozora/?%E5%90%88%207K3Q", "合 7K3Q"),
        ("https://evil.example/R/oaMessage/x/?hello", ""),
        ("", ""),
    ],
)
async def test_what_is_typed_or_scanned_fills_the_input(sample, web, typed, text):
    status, answer = await do(web, sample, "/scan", code=typed)
    assert answer["text"] == text
    assert (status == 200) == bool(text)


async def test_only_the_shops_own_links_are_fetched(sample, web):
    for url in (
        "http://evil.example/w/sample",
        f"{sample.service.url}/merchant/",
        f"{sample.service.url}/w/../merchant",
    ):
        assert (await do(web, sample, "/wallet/apple", url=url))[0] == 400
    async with web.get(
        f"{sample.url}/picture", params={"url": "http://evil.example/a.png"}
    ) as answer:
        assert answer.status == 404


async def test_a_refused_save_is_told_and_nothing_is_kept(sample, web):
    async def refuse(_jwt: str) -> str:
        raise SaveRefused("The pass is saved in another account.")

    sample.google.save = refuse
    link = f"{sample.service.url}/w/sample"
    status, answer = await do(web, sample, "/wallet/google", url=link)
    assert (status, answer) == (
        502,
        {"problem": "The pass is saved in another account."},
    )
    assert (await look(web, sample))["google"] == []


async def test_other_sites_can_neither_post_nor_come_by_another_name(sample, web):
    async with web.post(f"{sample.url}/follow", data={"a": "b"}) as answer:
        assert answer.status == 415
    async with web.get(sample.url, headers={"Host": "evil.example"}) as answer:
        assert answer.status == 403
    async with web.get(sample.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
        text = await answer.text()
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "<style" not in text
    assert " style=" not in text


async def test_the_page_hears_at_once_that_something_changed(sample, web):
    async with web.get(f"{sample.url}/events") as stream, asyncio.timeout(5):
        assert (await stream.content.readline()).startswith(b"data:")
        await stream.content.readline()
        sample.line.world.write(CHANNEL, sample.user_id, "bot", "push", {"text": "x"})
        assert (await stream.content.readline()).startswith(b"data:")
        await stream.content.readline()
        sample.open_code()
        assert (await stream.content.readline()).startswith(b"data:")


async def test_an_english_reader_is_an_english_customer_until_they_are_friends(
    sample, web
):
    person = sample.line.world.people[sample.user_id]
    for lang, expected in (("en", "en"), ("ja", "ja"), ("en", "en")):
        await (await web.get(f"{sample.url}/", params={"lang": lang})).read()
        assert person.language == expected
    await do(web, sample, "/follow")
    await (await web.get(f"{sample.url}/", params={"lang": "ja"})).read()
    assert person.language == "en"


async def test_the_menu_and_codes_are_drawn(sample, web):
    menu = (await look(web, sample))["menu"]
    async with web.get(f"{sample.url}/menu/{menu['id']}") as picture:
        assert picture.content_type == "image/png"
    async with web.get(f"{sample.url}/qr.svg", params={"text": "STAMP"}) as drawn:
        assert drawn.content_type == "image/svg+xml"
        assert (await drawn.text()).startswith("<svg")
    async with web.get(f"{sample.url}/qr.svg", params={"text": "x" * 1001}) as drawn:
        assert drawn.status == 400


def test_the_page_says_the_same_things_in_both_languages():
    ja = {key for key in keys("ja") if key.startswith("demo.")}
    assert ja == {key for key in keys("en") if key.startswith("demo.")}
    assert len(ja) > 50


# --- in a browser -------------------------------------------------------------------


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not here")
async def test_a_browser_draws_it_all_without_breaking_the_policy(sample):
    from playwright.async_api import async_playwright

    async with async_playwright() as play:
        browser = await play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        await page.goto(sample.url)
        await page.click("#greeting [data-do=follow]")
        await page.wait_for_selector(".flex-bubble")
        assert await page.locator(".flex-bubble .flex-horizontal").count() == 3
        sample.open_code("7K3Q9FJ2")
        await page.click("#step-stamp [data-do=camera]")
        await page.click(".finder-code")
        await page.wait_for_selector("#chat-text.is-filled")
        assert await page.input_value("#chat-text") == "STAMP 7K3Q9FJ2"
        await page.click("#chat-send")
        await page.wait_for_selector("#step-stamp.is-done")
        await page.click(".chat-line:last-child .flex-button.is-primary")
        await page.click("[data-do=add-apple]")
        await page.wait_for_selector(".pass.apple")
        sample.service.balance += 1
        sample.phone.pushed(sample.phone.push_token, TYPE)
        await page.wait_for_selector(".banner.is-shown")
        assert "8/10" in await page.inner_text("#banner")
        for width in (1280, 1024, 375):
            await page.set_viewport_size({"width": width, "height": 812})
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width
        await browser.close()
    assert said == []
