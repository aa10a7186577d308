"""The phone page with made-up cards, to look at: python -m tests.jobs.demo_sample."""

import asyncio
import hashlib
import io
import json
import sys
import zipfile
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from PIL import Image, ImageDraw

from core.clock import Clock
from jobs.demo.apple_phone import ApplePhone
from jobs.demo.line_platform import LineStandIn
from jobs.demo.line_world import RichMenu
from jobs.demo.phone import phone_app
from jobs.demo.phone_parts import DemoParts, OpenCode

CHANNEL = "1234567890"
BROWN, CREAM, PALE = "#5A3A22", "#F6EBDD", "#D9C7B2"
TYPE, SERIAL = "pass.jp.example.aozora", "01JD7Q0V7S6Z5K2M4N8P9R0T1W"


def strip(balance: int, size: tuple[int, int] = (1125, 432), goal: int = 10) -> bytes:
    """A picture of stamps; only good enough to look at."""
    picture = Image.new("RGB", size, BROWN)
    pen = ImageDraw.Draw(picture)
    width, height = size
    step, radius = width / 5.6, height / 5.6
    for n in range(goal):
        x = width / 2 + (n % 5 - 2) * step
        y = height * (0.29 if n < 5 else 0.71)
        box = (x - radius, y - radius, x + radius, y + radius)
        pen.ellipse(box, fill=CREAM if n < balance else None, outline=PALE, width=5)
    return png(picture)


def plain(size: tuple[int, int], colour: str = CREAM) -> bytes:
    """A cup-less icon: a disc on a ground."""
    picture = Image.new("RGB", size, BROWN)
    w, h = size
    box = (w * 0.2, h * 0.2, w * 0.8, h * 0.8)
    ImageDraw.Draw(picture).ellipse(box, fill=colour)
    return png(picture)


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def pkpass(balance: int, base: str = "", **more: Any) -> bytes:
    """A pass file without a valid signature."""
    left = 10 - balance
    info = {
        "formatVersion": 1,
        "passTypeIdentifier": TYPE,
        "teamIdentifier": "ABCDE12345",
        "serialNumber": SERIAL,
        "organizationName": "あおぞら珈琲",
        "description": "あおぞら珈琲 コーヒーカード",
        "logoText": "あおぞら珈琲",
        "backgroundColor": "rgb(90, 58, 34)",
        "foregroundColor": "rgb(255, 255, 255)",
        "labelColor": "rgb(233, 214, 190)",
        "barcodes": [
            {
                "format": "PKBarcodeFormatQR",
                "message": "http://localhost:8080/c/3F7K9Q2XW1",
                "messageEncoding": "iso-8859-1",
                "altText": "1234-5678",
            }
        ],
        "storeCard": {
            "headerFields": [
                {
                    "key": "stamps",
                    "label": "スタンプ",
                    "value": f"{balance}/10",
                    "changeMessage": "スタンプが%@になりました",
                }
            ],
            "secondaryFields": [
                {
                    "key": "next",
                    "label": "次の特典",
                    "value": f"あと{left}個でコーヒー1杯",
                }
            ],
            "auxiliaryFields": [
                {
                    "key": "until",
                    "label": "有効期限",
                    "value": "2027-11-23T23:59:59+09:00",
                    "dateStyle": "PKDateStyleMedium",
                }
            ],
            "backFields": [
                {"key": "guide", "label": "ご利用案内", "value": "1会計につき1個。"},
                {"key": "contact", "label": "お問い合わせ", "value": "info@example.jp"},
            ],
        },
        **more,
    }
    if base:
        info |= {"webServiceURL": base, "authenticationToken": "t" * 32}
    english = (
        '"スタンプ" = "Stamps";\n"次の特典" = "Next reward";\n'
        '"有効期限" = "Valid until";\n'
        f'"あと{left}個でコーヒー1杯" = "{left} more for a coffee";\n'
        '"あおぞら珈琲" = "Aozora Coffee";\n'
        '"スタンプが%@になりました" = "Stamps: %@";\n'
    )
    entries = {
        "pass.json": json.dumps(info, ensure_ascii=False).encode(),
        "icon.png": plain((38, 38)),
        "icon@3x.png": plain((114, 114)),
        "logo@3x.png": plain((150, 150)),
        "strip@3x.png": strip(balance),
        "en.lproj/pass.strings": english.encode("utf-16"),
        "ja.lproj/pass.strings": b"",
    }
    manifest = {n: hashlib.sha1(c).hexdigest() for n, c in entries.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("signature", b"none")
    return out.getvalue()


def flex(balance: int, service: str) -> dict[str, Any]:
    """A card as a Flex message."""
    return {
        "type": "flex",
        "altText": f"スタンプ {balance}/10 あと{10 - balance}個",
        "contents": bubble(balance, service),
        "quickReply": {
            "items": [
                {"type": "action", "action": {"type": "message", **words}}
                for words in (
                    {"label": "カード", "text": "カード"},
                    {"label": "特典", "text": "特典"},
                    {"label": "履歴", "text": "履歴"},
                    {"label": "ヘルプ", "text": "ヘルプ"},
                )
            ]
        },
    }


def bubble(balance: int, service: str) -> dict[str, Any]:
    rows = [range(5), range(5, 10)]
    return {
        "type": "bubble",
        "size": "mega",
        "header": {
            "type": "box",
            "layout": "horizontal",
            "backgroundColor": BROWN,
            "paddingAll": "16px",
            "contents": [
                {"type": "text", "text": "コーヒーカード", "color": "#FFFFFF"}
                | {"weight": "bold", "gravity": "center"},
                {"type": "text", "text": f"{balance}/10", "color": "#FFFFFF"}
                | {"align": "end", "size": "xl", "weight": "bold", "flex": 0},
            ],
        },
        "body": {
            "type": "box",
            "layout": "vertical",
            "spacing": "md",
            "contents": [
                *[
                    {
                        "type": "box",
                        "layout": "horizontal",
                        "justifyContent": "space-between",
                        "contents": [stamp(n, balance) for n in row],
                    }
                    for row in rows
                ],
                {"type": "text", "text": f"あと{10 - balance}個でコーヒー1杯"}
                | {"weight": "bold", "size": "lg", "margin": "lg", "wrap": True},
                {"type": "separator"},
                {
                    "type": "box",
                    "layout": "baseline",
                    "contents": [
                        {"type": "text", "text": "有効期限", "size": "sm"}
                        | {"color": "#888888", "flex": 2},
                        {"type": "text", "text": "2027/11/23まで", "size": "sm"}
                        | {"flex": 5},
                    ],
                },
            ],
        },
        "footer": {
            "type": "box",
            "layout": "vertical",
            "spacing": "sm",
            "contents": [
                {
                    "type": "button",
                    "style": "primary",
                    "color": BROWN,
                    "height": "sm",
                    "action": {
                        "type": "uri",
                        "label": "Walletに追加",
                        "uri": f"{service}/w/sample?openExternalBrowser=1",
                    },
                },
                {
                    "type": "button",
                    "height": "sm",
                    "action": {"type": "postback", "label": "会員証", "data": "a=me"},
                },
            ],
        },
    }


def stamp(n: int, balance: int) -> dict[str, Any]:
    is_on = n < balance
    return {
        "type": "box",
        "layout": "vertical",
        "width": "44px",
        "height": "44px",
        "cornerRadius": "22px",
        "backgroundColor": BROWN if is_on else "#F3EEE8",
        "borderColor": BROWN if is_on else PALE,
        "borderWidth": "normal",
        "justifyContent": "center",
        "contents": [
            {"type": "text", "text": "☕" if is_on else str(n + 1), "align": "center"}
            | {"color": "#FFFFFF" if is_on else "#B09A82", "size": "sm"}
        ],
    }


@dataclass
class Service:
    """A shop's service cut down to what the page can see of it."""

    line: LineStandIn
    balance: int = 6
    url: str = ""
    codes: list[OpenCode] = field(default_factory=list)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/line", self.take)
        app.router.add_get("/w/sample.pkpass", self.give)
        app.router.add_get("/w/sample/google", self.save)
        app.router.add_get("/hero.png", self.hero)
        app.router.add_get("/logo.png", self.logo)
        web_service = "/apple/v1/devices/{d}/registrations/{t}"
        app.router.add_post(web_service + "/{s}", self.register)
        app.router.add_delete(web_service + "/{s}", self.register)
        app.router.add_get(web_service, self.changed)
        app.router.add_get("/apple/v1/passes/{t}/{s}", self.give)
        return app

    async def take(self, request: web.Request) -> web.Response:
        for event in (await request.json())["events"]:
            user_id = event["source"]["userId"]
            text = event.get("message", {}).get("text", "")
            if "STAMP" in text:
                self.balance += 1
                self.codes.clear()
            if event["type"] == "follow":
                hello = "友だち追加ありがとうございます。カードをお作りしました。"
                self.answer(user_id, {"type": "text", "text": hello})
            self.answer(user_id, flex(self.balance, self.url))
        return web.Response()

    def answer(self, user_id: str, message: dict[str, Any]) -> None:
        self.line.world.write(CHANNEL, user_id, "bot", "reply", message)

    async def give(self, request: web.Request) -> web.Response:
        tag = f"Mon, 23 Nov 2026 00:00:{self.balance:02d} GMT"
        if request.headers.get("If-Modified-Since") == tag:
            return web.Response(status=304)
        return web.Response(
            body=await asyncio.to_thread(pkpass, self.balance, f"{self.url}/apple"),
            content_type="application/vnd.apple.pkpass",
            headers={"Last-Modified": tag},
        )

    async def register(self, request: web.Request) -> web.Response:
        return web.Response(status=201 if request.method == "POST" else 200)

    async def changed(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {"serialNumbers": [SERIAL], "lastUpdated": str(self.balance)}
        )

    async def save(self, _request: web.Request) -> web.Response:
        link = "https://pay.google.com/gp/v/save/e30.e30.e30"
        return web.Response(status=302, headers={"Location": link})

    async def hero(self, _request: web.Request) -> web.Response:
        picture = strip(self.balance, (1032, 336))
        return web.Response(body=picture, content_type="image/png")

    async def logo(self, _request: web.Request) -> web.Response:
        return web.Response(body=plain((330, 330)), content_type="image/png")


class SampleGoogle:
    """One class and one object, saved by any link."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.classes = {"3388.p.1": self._class()}
        self.objects: dict[str, dict[str, Any]] = {}
        self.on_change = None

    async def save(self, jwt: str) -> str:
        balance = self._service.balance
        self.objects["3388.c.1"] = {
            "id": "3388.c.1",
            "classId": "3388.p.1",
            "state": "ACTIVE",
            "accountId": "1234-5678",
            "barcode": {"type": "QR_CODE", "value": "http://localhost:8080/c/3F7K9Q2X"}
            | {"alternateText": "1234-5678"},
            "loyaltyPoints": {
                "localizedLabel": said("スタンプ", "Stamps"),
                "balance": {"string": f"{balance}/10"},
            },
            "secondaryLoyaltyPoints": {
                "localizedLabel": said("特典", "Rewards"),
                "balance": {"int": 0},
            },
            "heroImage": {"sourceUri": {"uri": f"{self._service.url}/hero.png"}},
            "textModulesData": [
                {"id": "row", "body": "●●●●● ●○○○○"},
                {
                    "id": "next",
                    "localizedHeader": said("次の特典", "Next reward"),
                    "localizedBody": said(
                        "あと4個でコーヒー1杯", "4 more for a coffee"
                    ),
                },
            ],
        }
        return "3388.c.1"

    def _class(self) -> dict[str, Any]:
        def at(path: str) -> dict[str, Any]:
            return {"firstValue": {"fields": [{"fieldPath": path}]}}

        rows = [
            {
                "twoItems": {
                    "startItem": at("object.loyaltyPoints.balance"),
                    "endItem": at("object.secondaryLoyaltyPoints.balance"),
                }
            },
            {"oneItem": {"item": at("object.textModulesData['next']")}},
        ]
        above = {"fields": [{"fieldPath": "object.textModulesData['row']"}]}
        return {
            "id": "3388.p.1",
            "localizedIssuerName": said("あおぞら珈琲", "Aozora Coffee"),
            "localizedProgramName": said("コーヒーカード", "Coffee card"),
            "programLogo": {"sourceUri": {"uri": f"{self._service.url}/logo.png"}},
            "hexBackgroundColor": BROWN,
            "localizedAccountIdLabel": said("会員番号", "Member no."),
            "classTemplateInfo": {
                "cardTemplateOverride": {"cardRowTemplateInfos": rows},
                "cardBarcodeSectionDetails": {
                    "firstTopDetail": {"fieldSelector": above}
                },
            },
            "textModulesData": [{"id": "terms", "header": "ご利用案内"}],
        }


def said(ja: str, en: str) -> dict[str, Any]:
    return {
        "defaultValue": {"language": "ja", "value": ja},
        "translatedValues": [{"language": "en", "value": en}],
    }


class Sample:
    """All of it, started; `url` is the phone page."""

    async def start(self, port: int = 0) -> None:
        self.line = LineStandIn(Clock(), deadline=10)
        await self.line.start()
        self.service = Service(self.line)
        self.phone = ApplePhone(Clock())
        await self.phone.start()
        self._runners = []
        self.service.url = await self._serve(self.service.app(), 0)
        channel = self.line.add_channel(
            CHANNEL, "s" * 32, "@aozora", "U" + "b" * 32, f"{self.service.url}/line"
        )
        channel.menus["m1"] = menu()
        channel.default_menu = "m1"
        self.user_id = self.line.add_person("佐藤 美香")
        self.google = SampleGoogle(self.service)
        self.parts = DemoParts(
            clock=Clock(),
            line=self.line,
            channel_id=CHANNEL,
            user_id=self.user_id,
            phone=self.phone,
            google=self.google,
            open_codes=self.codes,
            shop_name="あおぞら珈琲",
            service_url=self.service.url,
            till_url=f"{self.service.url}/till/",
            settings_url=f"{self.service.url}/merchant/",
            staff_email="owner@aozora.example",
            staff_password="k7m2q-9x4ev-t3b8h-w6zrd",
            staff_pin="2468",
        )
        self.url = await self._serve(phone_app(self.parts), port)

    async def codes(self) -> list[OpenCode]:
        return self.service.codes

    def open_code(self, code: str = "7K3Q9FJ2") -> None:
        url = f"https://line.me/R/oaMessage/%40aozora/?STAMP%20{code}"
        self.service.codes.append({"code": code, "line_url": url})

    async def stop(self) -> None:
        for runner in reversed(self._runners):
            await runner.cleanup()
        await self.phone.stop()
        await self.line.stop()

    async def _serve(self, app: web.Application, port: int) -> str:
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"


def menu() -> RichMenu:
    picture = Image.new("RGB", (1250, 422), CREAM)
    pen = ImageDraw.Draw(picture)
    for n in range(3):
        x = 208 + n * 417
        pen.ellipse((x - 70, 110, x + 70, 250), fill=BROWN)
        pen.rectangle((x - 60, 300, x + 60, 326), fill=BROWN)
    areas = [
        {
            "bounds": {"x": n * 833, "y": 0, "width": 833, "height": 843},
            "action": {"type": "message", "label": text, "text": text},
        }
        for n, text in enumerate(("カード", "会員証", "特典"))
    ]
    body = {"size": {"width": 2500, "height": 843}, "selected": False}
    return RichMenu(
        menu_id="m1",
        body=body | {"chatBarText": "メニュー", "areas": areas},
        picture=png(picture),
        picture_type="image/png",
    )


async def shoot(folder: str) -> None:
    """Walk through the page as a newcomer and take pictures on the way."""
    from playwright.async_api import async_playwright

    sample = Sample()
    await sample.start()
    async with async_playwright() as play:
        browser = await play.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda m: print("console:", m.text))  # noqa: T201
        page.on("pageerror", lambda e: print("error:", e))  # noqa: T201

        async def shot(name: str) -> None:
            await page.wait_for_timeout(500)
            await page.screenshot(path=f"{folder}/{name}.png")

        await _walk(page, sample, shot)
        await _look_around(page, sample, shot)
        await browser.close()
    await sample.stop()


async def _walk(page: Any, sample: Sample, shot: Any) -> None:
    await page.goto(sample.url)
    await page.wait_for_selector("#step-friend.is-next")
    await shot("1-start")
    await page.click("#greeting [data-do=follow]")
    await page.wait_for_selector(".flex-bubble")
    await shot("2-friend")
    await page.click("#step-stamp [data-do=camera]")
    await shot("3-camera-empty")
    sample.open_code()
    await page.wait_for_selector(".finder-code")
    await shot("4-camera-code")
    await page.click(".finder-code")
    await shot("5-prefilled")
    await page.click("#chat-send")
    await page.wait_for_selector("#step-stamp.is-done")
    await shot("6-stamped")
    await page.click(".chat-line:last-child .flex-button.is-primary")
    await shot("7-sheet")
    await page.click("[data-do=add-apple]")
    await page.wait_for_selector(".pass.apple")
    await shot("8-apple")
    sample.service.balance += 1
    sample.phone.pushed(sample.phone.push_token, TYPE)
    await page.wait_for_selector(".banner.is-shown")
    await shot("9-banner")
    await page.click(".pass-info")
    await page.click("#menu-bar")
    await shot("10-back")
    await page.click(".chat-line:last-child .flex-button.is-primary")
    await page.click("[data-do=add-google]")
    await page.wait_for_selector(".pass.google")
    await shot("11-google")


async def _look_around(page: Any, sample: Sample, shot: Any) -> None:
    sample.line.world.write(CHANNEL, sample.user_id, "bot", "reply", gallery(sample))
    await page.goto(f"{sample.url}/?lang=en")
    await page.wait_for_selector(".pass.apple")
    await shot("12-english")
    for width, height in ((1024, 768), (1366, 700), (1920, 1080)):
        await page.set_viewport_size({"width": width, "height": height})
        await shot(f"13-{width}")
    await page.set_viewport_size({"width": 375, "height": 812})
    for language in ("ja", "en"):
        await page.goto(f"{sample.url}/?lang={language}")
        await page.wait_for_selector(".flex-bubble", state="attached")
        for pane in ("guide", "line", "wallet"):
            await page.click(f"[data-pane-of={pane}]")
            await shot(f"20-{language}-{pane}")


def gallery(sample: Sample) -> dict[str, Any]:
    """Every kind of Flex part once, and a carousel."""
    url = sample.service.url
    parts = {
        "type": "bubble",
        "hero": {
            "type": "image",
            "url": f"{url}/hero.png",
            "size": "full",
            "aspectRatio": "1032:336",
            "aspectMode": "cover",
        },
        "body": {
            "type": "box",
            "layout": "vertical",
            "contents": [
                {
                    "type": "text",
                    "text": "太字の見出し",
                    "weight": "bold",
                    "size": "xl",
                },
                {
                    "type": "box",
                    "layout": "baseline",
                    "margin": "md",
                    "contents": [
                        {"type": "icon", "url": f"{url}/logo.png", "size": "sm"},
                        {
                            "type": "text",
                            "text": "4.0",
                            "size": "sm",
                            "color": "#999999",
                        }
                        | {"margin": "md", "flex": 0},
                    ],
                },
                {
                    "type": "text",
                    "text": "spans",
                    "wrap": True,
                    "margin": "md",
                    "contents": [
                        {"type": "span", "text": "長い文章は"},
                        {"type": "span", "text": "折り返して", "weight": "bold"}
                        | {"color": "#c0392b", "decoration": "underline"},
                        {"type": "span", "text": "二行以上になっても読めます。"},
                    ],
                },
                {
                    "type": "box",
                    "layout": "horizontal",
                    "height": "8px",
                    "cornerRadius": "4px",
                    "backgroundColor": "#eeeeee",
                    "margin": "lg",
                    "contents": [
                        {
                            "type": "box",
                            "layout": "vertical",
                            "width": "70%",
                            "contents": [{"type": "filler"}],
                            "background": {
                                "type": "linearGradient",
                                "angle": "90deg",
                                "startColor": "#c08a5a",
                                "endColor": BROWN,
                            },
                        }
                    ],
                },
                {
                    "type": "box",
                    "layout": "horizontal",
                    "margin": "lg",
                    "spacing": "sm",
                    "contents": [
                        {"type": "button", "style": "secondary", "height": "sm"}
                        | {
                            "action": {
                                "type": "message",
                                "label": "いいえ",
                                "text": "no",
                            }
                        },
                        {"type": "separator"},
                        {"type": "button", "style": "primary", "height": "sm"}
                        | {
                            "action": {
                                "type": "message",
                                "label": "はい",
                                "text": "yes",
                            }
                        },
                    ],
                },
            ],
        },
    }
    bubbles = {"type": "carousel", "contents": [parts, bubble(3, url), parts]}
    return {"type": "flex", "altText": "見本", "contents": bubbles}


async def main() -> None:
    sample = Sample()
    await sample.start(8090)
    sample.open_code()
    print(sample.url)  # noqa: T201
    await asyncio.Event().wait()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(shoot(sys.argv[1]))
    else:
        asyncio.run(main())
