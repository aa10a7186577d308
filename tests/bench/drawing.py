"""S5: all pictures of a design, beside one supersampled drawing per picture."""

import asyncio
import io
import time
from collections.abc import Awaitable, Callable
from typing import Any

from PIL import Image, ImageDraw

from core.rules.glyphs import glyph_polygons
from core.rules.types import MerchantId
from passes.art import Art
from passes.artwork import Artwork
from passes.layout import Canvas, lay_out
from tests.passes.faces import make_face

CANVASES = [
    Canvas(1032, 336, 60, 36, most_rows=4),
    *(Canvas(375 * n, 144 * n, 20 * n, 12 * n) for n in (1, 2, 3)),
]


async def no_icon(_merchant_id: MerchantId, _digest: str) -> bytes | None:
    return None


async def measure() -> tuple[float, float]:
    """Processor seconds of ours and of the yardstick, for a card of ten stamps."""
    art = Art.of_face(make_face(goal=10))
    await Artwork(no_icon).draw(art, "strip")  # whatever happens only once per process

    async def whole_design() -> None:
        ready = Artwork(no_icon)
        for balance in range(11):
            await ready.draw(art, "hero", balance)
            for scale in (1, 2, 3):
                await ready.draw(art, "strip", balance, scale)

    async def one_by_one() -> None:
        for balance in range(11):
            for canvas in CANVASES:
                await asyncio.to_thread(draw_alone, art, canvas, balance)

    return await cost(whole_design), await cost(one_by_one)


async def cost(work: Callable[[], Awaitable[None]]) -> float:
    """Processor seconds, of all threads: other programs on the machine don't count."""
    before = time.process_time()
    await work()
    return time.process_time() - before


def draw_alone(art: Art, canvas: Canvas, balance: int) -> bytes:
    """The straightforward way: everything four times as large, then made smaller."""
    inks, large = art.inks, 4
    size = (canvas.width * large, canvas.height * large)
    image = Image.new("RGB", size, inks.paper)
    draw = ImageDraw.Draw(image)

    def fill(place: Any, name: str, share: float, colour: str) -> None:
        side = place.side * large
        left = place.left * large + side * (1 - share) / 2
        top = place.top * large + side * (1 - share) / 2
        scale = side * share / 24
        for polygon in glyph_polygons(name):
            points = [(left + x * scale, top + y * scale) for x, y in polygon]
            draw.polygon(points, fill=colour)

    for index, place in enumerate(lay_out(art.goal, art.rewards, canvas)):
        stamped = index < balance
        fill(place, place.outline, 1, inks.ink if stamped else inks.quiet)
        if stamped:
            fill(place, art.look.icon, 0.58, inks.paper)
        else:
            fill(place, place.outline, 0.95, inks.wash)
    small = image.resize((canvas.width, canvas.height), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, "PNG")
    return stream.getvalue()
