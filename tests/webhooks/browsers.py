"""Real browsers: a till with a code before its camera, and a settings page."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.async_api import Page, async_playwright, expect

from core.clock import Clock
from core.config import Settings
from core.database import Database
from passes.qr import qr_png
from tests.builders import PASSWORD
from tests.webhooks.rooms import Client, serve_rooms

CHROMIUM = shutil.which("chromium")
PHONE = {"width": 375, "height": 667}
TABLET = {"width": 1024, "height": 768}

_COUNTER = (120, 110, 100)


def camera_film(path: Path, text: str) -> Path:
    """A film of a counter, on which somebody holds a code askew; "" for none."""
    image = Image.new("RGB", (1280, 720), _COUNTER)
    if text:
        code = Image.open(BytesIO(qr_png(text, box=9))).convert("RGB")
        image.paste(code.rotate(7, expand=True, fillcolor=_COUNTER), (430, 130))
    stream = BytesIO()
    image.save(stream, "JPEG")
    path.write_bytes(stream.getvalue() * 4)
    return path


def camera_flags(film: Path | None, *, allowed: bool = True) -> list[str]:
    """What makes Chromium take a film for its camera."""
    flags = ["--use-fake-device-for-media-stream"]
    if film is not None:
        flags.append(f"--use-file-for-fake-video-capture={film}")
    if allowed:
        flags.append("--use-fake-ui-for-media-stream")
    return flags


class Counter:
    """One till: `page` is its browser's, `url` where the service is."""

    def __init__(self, page: Page, client: Client) -> None:
        self.page = page
        self.client = client
        self.url = str(client.make_url("/")).rstrip("/")

    async def sign_in(self, email: str) -> None:
        """Sign in on the page; the till is there."""
        await self.page.goto("/till/")
        await self.page.fill("#email", email)
        await self.page.fill("#password", PASSWORD)
        await self.page.keyboard.press("Enter")
        await self.page.wait_for_url(f"{self.url}/till/")
        await expect(self.page.locator(".numbers")).to_be_visible()


@asynccontextmanager
async def till_browser(
    db: Database,
    settings: Settings,
    clock: Clock,
    *,
    size: dict[str, int] = PHONE,
    flags: Sequence[str] = (),
    locale: str = "ja-JP",
    client: Client | None = None,
    profile: Path | None = None,
) -> AsyncIterator[Counter]:
    """A browser at the till, a clerk signed in. An error in a script fails the test.

    With a `profile` it is a browser that keeps what it has over its end: one that was
    signed in is so again.
    """
    plain = settings.model_copy(update={"public_url": "http://127.0.0.1"})
    troubles: list[str] = []
    async with AsyncExitStack() as stack:
        if client is None:
            client = await stack.enter_async_context(serve_rooms(db, plain, clock))
        play = await stack.enter_async_context(async_playwright())
        kept = {"base_url": str(client.make_url("/")), "locale": locale}
        how = {"executable_path": CHROMIUM, "args": ["--no-sandbox", *flags]}
        if profile is not None:
            context = await play.chromium.launch_persistent_context(
                profile, viewport=size, **kept, **how
            )
            stack.push_async_callback(context.close)
        else:
            browser = await play.chromium.launch(**how)
            stack.push_async_callback(browser.close)
            context = await browser.new_context(viewport=size, **kept)
        context.on("weberror", lambda error: troubles.append(str(error.error)))
        counter = Counter(await context.new_page(), client)
        await counter.page.goto("/till/")
        if "signin" in counter.page.url:
            await counter.sign_in("clerk@aozora.jp")
        yield counter
    assert troubles == []


@asynccontextmanager
async def settings_page(
    db: Database,
    settings: Settings,
    clock: Clock,
    path: str,
    *,
    width: int = 1280,
    locale: str = "ja-JP",
) -> AsyncIterator[Page]:
    """The owner on a settings page; no complaint on the console, but of a 422."""
    plain = settings.model_copy(update={"public_url": "http://127.0.0.1"})
    async with (
        serve_rooms(db, plain, clock) as client,
        owner_page(client, path, width=width, locale=locale) as page,
    ):
        yield page


@asynccontextmanager
async def owner_page(
    client: Client, path: str, *, width: int = 1280, locale: str = "ja-JP"
) -> AsyncIterator[Page]:
    """The same, where the service is there already."""
    async with async_playwright() as play:
        browser = await play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        view = {"width": width, "height": 812}
        page = await browser.new_page(locale=locale, viewport=view)
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        await page.goto(str(client.make_url(path)))
        await page.fill("#email", "owner@aozora.jp")
        await page.fill("#password", PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.locator(".page-head h1")).to_be_visible()
        yield page
        assert not [text for text in said if "422" not in text]
        await browser.close()
