"""The yardstick of S1: a bot as line-bot-sdk's users write one: parse, reply, no books.

Run as `python -m tests.bench.echo_bot PORT SECRET LINE_URL`.
"""

from __future__ import annotations

import sys

from aiohttp import web
from linebot.v3 import WebhookParser
from linebot.v3.exceptions import InvalidSignatureError
from linebot.v3.messaging import (
    AsyncApiClient,
    AsyncMessagingApi,
    Configuration,
    ReplyMessageRequest,
    TextMessage,
)
from linebot.v3.webhooks import MessageEvent, TextMessageContent


def main() -> None:
    """Listen until killed."""
    port, secret, line_url = sys.argv[1:]
    web.run_app(_app(secret, line_url), host="127.0.0.1", port=int(port), print=None)


async def _app(secret: str, line_url: str) -> web.Application:
    parser = WebhookParser(secret)
    setup = Configuration(host=line_url, access_token="any")
    setup.connection_pool_maxsize = 100
    api = AsyncMessagingApi(AsyncApiClient(setup))

    async def echo(request: web.Request) -> web.Response:
        body = (await request.read()).decode()
        try:
            events = parser.parse(body, request.headers["x-line-signature"])
        except InvalidSignatureError:
            return web.Response(status=400)
        for event in events:
            if isinstance(event, MessageEvent) and isinstance(
                event.message, TextMessageContent
            ):
                answer = TextMessage(text=event.message.text)
                await api.reply_message(
                    ReplyMessageRequest(replyToken=event.reply_token, messages=[answer])
                )
        return web.Response(text="OK")

    async def ready(request: web.Request) -> web.Response:
        del request
        return web.Response(text="ok")

    app = web.Application()
    app.add_routes([web.post("/line/aozora", echo), web.get("/readyz", ready)])
    return app


if __name__ == "__main__":
    main()
