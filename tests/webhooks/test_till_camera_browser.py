"""The till's camera in a real browser: a film of a code is held before it."""

from __future__ import annotations

from base64 import b64decode

import pytest
from playwright.async_api import expect

from core.actions.cards import load_card
from core.actions.join import open_card
from tests.stories.processes import eventually
from tests.webhooks.browsers import (
    CHROMIUM,
    PHONE,
    TABLET,
    camera_film,
    camera_flags,
    till_browser,
)
from webhooks.till import frames
from webhooks.till.frames import read_code

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]

# A browser that reads codes by itself, told apart by what reads them: here this side.
DETECTOR = """
window.BarcodeDetector = class {
  static getSupportedFormats = async () => ["aztec", "qr_code"];
  async detect(video) {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    const text = await window.readByMyself(canvas.toDataURL("image/jpeg"));
    return text ? [{ rawValue: text, format: "qr_code" }] : [];
  }
};
"""
# One that has the name only, as browsers do whose system brings no reader.
EMPTY_DETECTOR = """
window.BarcodeDetector = class {
  static getSupportedFormats = async () => [];
};
"""
BROKEN_DETECTOR = """
window.BarcodeDetector = class {
  static getSupportedFormats = async () => ["qr_code"];
  async detect() { throw new DOMException("no service", "NotSupportedError"); }
};
"""

NAMED_CAMERA = """
addEventListener("loadedmetadata", ({ target }) => {
  const [track] = target.srcObject.getVideoTracks();
  target.dataset.cameraName = track.label;
}, true);
"""


def refusing(name):
    """A browser whose camera fails so."""
    return (
        "() => { navigator.mediaDevices.getUserMedia = async () => "
        f"{{ throw new DOMException('', '{name}'); }}; }}"
    )


@pytest.fixture
async def code(db, shop, clock):
    """太郎's card's code."""
    card_id = await db.write(
        open_card,
        merchant_id=shop.merchant.id,
        program_key="coffee",
        key="open",
        now=clock.now(),
        name="太郎",
    )
    view = await db.read(load_card, shop.merchant.id, card_id, clock.now())
    return view.card.code


async def read_by_myself(url):
    return read_code(b64decode(url.split(",", 1)[1]), "JPEG")


@pytest.mark.parametrize("size", [PHONE, TABLET], ids=["phone", "tablet"])
@pytest.mark.parametrize("script", ["", EMPTY_DETECTOR, BROKEN_DETECTOR])
async def test_the_server_reads_for_browsers_that_cannot(
    db, settings, clock, tmp_path, code, size, script, monkeypatch
):
    seen = []

    def look(picture, kind):
        seen.append(len(picture))
        return read_code(picture, kind)

    monkeypatch.setattr(frames, "read_code", look)
    film = camera_film(tmp_path / "film.mjpeg", f"https://stamps.example.jp/c/{code}")
    async with till_browser(
        db, settings, clock, size=size, flags=camera_flags(film)
    ) as till:
        await till.page.add_init_script(script)
        await till.page.goto("/till/")
        await till.page.locator(".scan [data-camera]").click()
        await expect(till.page.locator(".person")).to_contain_text("太郎さん")
        await till.page.locator(".acts .main").click()
        await expect(till.page.locator(".result.done")).to_contain_text("付与しました")
    assert seen
    assert max(seen) < 200_000


async def test_a_browser_that_reads_by_itself_sends_no_picture(
    db, settings, clock, tmp_path, code
):
    film = camera_film(tmp_path / "film.mjpeg", code)
    async with till_browser(db, settings, clock, flags=camera_flags(film)) as till:
        sent = []
        await till.page.expose_function("readByMyself", read_by_myself)
        await till.page.add_init_script(DETECTOR)
        await till.page.goto("/till/find?q=x")
        till.page.on("request", lambda request: sent.append(request.url))
        await till.page.locator(".scan [data-camera]").click()
        await expect(till.page.locator(".person")).to_contain_text("太郎さん")
        assert not [url for url in sent if "frames" in url]


async def test_no_two_pictures_are_on_their_way_at_once(
    db, settings, clock, tmp_path, code
):
    film = camera_film(tmp_path / "film.mjpeg", "")
    async with till_browser(db, settings, clock, flags=camera_flags(film)) as till:
        open_now, most, n = 0, 0, 0

        async def slow(route):
            nonlocal open_now, most, n
            open_now, n = open_now + 1, n + 1
            most = max(most, open_now)
            answer = await route.fetch()
            await till.page.wait_for_timeout(600)
            open_now -= 1
            await route.fulfill(response=answer)

        await till.page.route("**/till/frames", slow)
        await till.page.locator(".scan [data-camera]").click()
        while n < 3:
            await till.page.wait_for_event("response")
        assert most == 1
        await till.page.locator("[data-finder] [data-do=close]").click()
        await till.page.unroute_all(behavior="wait")


@pytest.mark.parametrize(
    ("locale", "words"),
    [("ja-JP", "お客様のカードではありません"), ("en-US", "no customer's card")],
)
async def test_a_strange_code_is_refused_in_the_viewfinder_which_goes_on(
    db, settings, clock, tmp_path, code, locale, words
):
    film = camera_film(tmp_path / "film.mjpeg", "https://menu.example/today")
    flags = camera_flags(film)
    async with till_browser(db, settings, clock, flags=flags, locale=locale) as till:
        page = till.page
        await page.locator(".scan [data-camera]").click()
        said = page.locator("[data-finder] [data-said]")
        await expect(said).to_contain_text(words)
        assert page.url.endswith("/till/")
        # It is still looking: the next picture is the customer's.
        answer = {"json": {"text": f"https://stamps.example.jp/c/{code}"}}
        await page.route("**/till/frames", lambda route: route.fulfill(**answer))
        await expect(page.locator(".person")).to_be_visible()


async def test_the_camera_goes_off_when_the_viewfinder_closes_or_is_out_of_sight(
    db, settings, clock, tmp_path, shop
):
    film = camera_film(tmp_path / "film.mjpeg", "")
    async with till_browser(db, settings, clock, flags=camera_flags(film)) as till:
        page = till.page
        await page.evaluate(
            """() => {
              const devices = navigator.mediaDevices;
              const get = devices.getUserMedia.bind(devices);
              window.tracks = [];
              devices.getUserMedia = async (asked) => {
                const stream = await get(asked);
                window.tracks.push(...stream.getTracks());
                return stream;
              };
            }"""
        )
        finder = page.locator("[data-finder]")

        async def are(state: str) -> bool:
            running = "window.tracks.map((track) => track.readyState)"
            return await page.evaluate(running) == [state]

        for leave in ("close", "Escape", "hidden"):
            await page.evaluate("window.tracks = []")
            await page.locator(".scan [data-camera]").click()
            await expect(finder.locator("[data-said]")).to_contain_text("枠に入れて")
            # The words of the round before may stand there still.
            await eventually(lambda: are("live"))
            if leave == "close":
                await finder.locator("[data-do=close]").click()
            elif leave == "Escape":
                await page.keyboard.press("Escape")
            else:
                await page.evaluate(
                    """() => {
                      Object.defineProperty(document, "hidden", { get: () => true });
                      document.dispatchEvent(new Event("visibilitychange"));
                    }"""
                )
            await expect(finder).to_be_hidden()
            await eventually(lambda: are("ended"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("NotAllowedError", "許可"),
        ("NotFoundError", "カメラが見つかりません"),
        ("NotReadableError", "ほかのアプリ"),
        ("TypeError", "カメラを開けません"),
    ],
)
async def test_a_camera_that_does_not_open_says_what_to_do(
    db, settings, clock, shop, error, words
):
    async with till_browser(db, settings, clock, flags=camera_flags(None)) as till:
        await till.page.evaluate(refusing(error))
        await till.page.locator(".scan [data-camera]").click()
        finder = till.page.locator("[data-finder]")
        await expect(finder.locator("[data-said]")).to_contain_text(words)
        await expect(finder.locator("[data-do=again]")).to_be_visible()
        # And the box for typing is where it was.
        await finder.locator("[data-do=close]").click()
        await expect(till.page.locator("[data-scan]").last).to_be_attached()


async def test_without_tls_it_names_the_address_as_the_reason(
    db, settings, clock, shop
):
    async with till_browser(db, settings, clock) as till:
        await till.page.add_init_script(
            "Object.defineProperty(navigator, 'mediaDevices', { value: undefined });"
            "Object.defineProperty(window, 'isSecureContext', { value: false });"
        )
        await till.page.goto("/till/")
        await till.page.locator(".scan [data-camera]").click()
        said = till.page.locator("[data-finder] [data-said]")
        await expect(said).to_contain_text("https://")


async def test_several_cameras_can_be_switched_and_the_choice_is_kept(
    db, settings, clock, shop
):
    flags = [*camera_flags(None)]
    flags[0] += "=device-count=2"
    async with till_browser(db, settings, clock, flags=flags) as till:
        page = till.page
        await page.add_init_script(NAMED_CAMERA)
        await page.goto("/till/")
        video = page.locator("[data-finder] video")
        await page.locator(".scan [data-camera]").click()
        switch = page.locator("[data-finder] [data-do=switch]")
        await expect(switch).to_be_visible()
        first = await video.get_attribute("data-camera-name")
        await switch.click()
        await expect(video).not_to_have_attribute("data-camera-name", first)
        second = await video.get_attribute("data-camera-name")
        await page.goto("/till/")
        await page.locator(".scan [data-camera]").click()
        await expect(video).to_have_attribute("data-camera-name", second)


async def test_a_scanner_that_types_still_opens_the_card(db, settings, clock, code):
    async with till_browser(db, settings, clock, size=TABLET) as till:
        await till.page.keyboard.type(f"https://stamps.example.jp/c/{code}\n")
        await expect(till.page.locator(".person")).to_contain_text("太郎さん")
