"""`stampcard demo`: the world, the service, and the phone page, until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import click
from aiohttp import web

from core.actions.till import open_till_codes
from core.clock import Clock
from core.links import line_url
from core.rules.types import MerchantId
from jobs.demo.phone import phone_app
from jobs.demo.phone_parts import DemoParts, OpenCode
from jobs.demo.shop_file import CLERK_PIN, OWNER_PIN
from jobs.demo.world import (
    CHANNEL_ID,
    STAFF_EMAIL,
    STAFF_PASSWORD,
    World,
    demo_world,
)
from jobs.serve import Service, running

CUSTOMER = "花子"
LOOPBACK = "127.0.0.1"


def main(port: int, folder: Path) -> None:
    """Run the demo: the service on `port`, the phone page on the one after it.

    Raises `click.ClickException` where one of the two ports is taken.
    """
    for each in (port, port + 1):
        if _is_taken(each):
            raise click.ClickException(
                f"port {each} is in use; choose another pair with --port, "
                f"or make run PORT={port + 10}"
            )
    asyncio.run(_demo(port, folder))


async def _demo(port: int, folder: Path) -> None:
    clock = Clock()
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(demo_world(folder, port, clock))
        service = await stack.enter_async_context(
            running(world.settings, clock=clock, host=LOOPBACK, port=port)
        )
        runner = web.AppRunner(phone_app(demo_parts(world, service, clock)))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, LOOPBACK, port + 1).start()
        _print_addresses(port)
        await _stopped()


def demo_parts(world: World, service: Service, clock: Clock) -> DemoParts:
    """What the phone page of `world` needs, with one customer on it."""
    url = world.settings.public_url

    async def open_codes() -> list[OpenCode]:
        merchant = MerchantId(world.shop.merchant_id)
        codes = await service.db.read(open_till_codes, merchant, clock.now())
        return [
            {"code": code.code, "line_url": line_url("@aozora", code.code)}
            for code in codes
        ]

    return DemoParts(
        clock=clock,
        line=world.line,
        channel_id=CHANNEL_ID,
        user_id=world.line.add_person(CUSTOMER),
        phone=world.phone,
        google=world.google,
        open_codes=open_codes,
        shop_name="あおぞら珈琲",
        service_url=url,
        till_url=f"{url}/till/",
        settings_url=f"{url}/merchant/",
        staff_email=STAFF_EMAIL,
        staff_password=STAFF_PASSWORD,
        staff_pin=OWNER_PIN,
    )


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def _print_addresses(port: int) -> None:
    click.echo(
        f"""
  Smart Stamp Card

  Open this first:  http://localhost:{port + 1}/   the customer's phone
  Till              http://localhost:{port}/till/
  Settings page     http://localhost:{port}/merchant/
  Sign in with      {STAFF_EMAIL}  /  {STAFF_PASSWORD}
  Staff PINs        {OWNER_PIN} (owner)  {CLERK_PIN} (clerk)

  Ctrl-C ends it. No account anywhere, nothing leaves this machine.
"""
    )


async def _stopped() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    await stop.wait()
