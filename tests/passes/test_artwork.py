import asyncio
import io
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image, ImageChops

from core.rules.colours import contrast_ratio, rgb
from core.rules.glyphs import GLYPHS
from core.rules.types import CardId, Look, MerchantId
from passes.art import Art
from passes.artwork import Artwork
from passes.layout import TALL_ROWS, Canvas, lay_out
from passes.uploads import clean_picture
from tests.passes.faces import BROWN, make_face

DIGEST = "ab" * 32
MINE = replace(BROWN, icon=f"picture:{DIGEST}")
GREEN = (0, 200, 60)
HARD = [("#808080", "#818181"), ("#FFFFFF", "#FFFF00"), ("#000000", "#000033")]


def own_icon() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (200, 200), GREEN).save(stream, "PNG")
    return clean_picture(stream.getvalue())


class Icons:
    """What a merchant has uploaded; counts how often it was asked for."""

    def __init__(self, content: bytes | None = None) -> None:
        self.content = content
        self.asked: list[tuple[str, str]] = []

    async def load(self, merchant_id: MerchantId, digest: str) -> bytes | None:
        self.asked.append((merchant_id, digest))
        await asyncio.sleep(0)
        return self.content


def studio(content: bytes | None = None, **options: Any) -> Artwork:
    return Artwork(Icons(content).load, **options)


def opened(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    assert image.format == "PNG"
    return image


def strip_canvas(scale: int) -> Canvas:
    return Canvas(375 * scale, 144 * scale, 20 * scale, 12 * scale)


def poster_canvas(scale: int) -> Canvas:
    size = (358 * scale, 448 * scale, 20 * scale, 64 * scale)
    return Canvas(*size, foot=84 * scale, rows=TALL_ROWS)


def changed(a: bytes, b: bytes) -> tuple[int, int, int, int] | None:
    one, other = opened(a).convert("RGB"), opened(b).convert("RGB")
    return ImageChops.difference(one, other).getbbox()


# --- what wallets ask for -------------------------------------------------------


@pytest.mark.parametrize("scale", [1, 2, 3])
async def test_apples_pictures_have_the_points_of_its_table(scale: int) -> None:
    art, face = studio(), make_face()
    strip = opened(await art.strip(face, scale))
    assert strip.size == (375 * scale, 144 * scale)
    poster = opened(await art.poster(face, scale))
    assert poster.size == (358 * scale, 448 * scale)
    small = opened(await art.primary_logo(face, scale))
    assert small.size == (30 * scale, 30 * scale)
    assert opened(await art.icon(face, scale)).size == (38 * scale, 38 * scale)
    assert opened(await art.logo(face, scale)).size == (50 * scale, 50 * scale)


async def test_googles_pictures_have_the_pixels_of_its_guide() -> None:
    art, face = studio(), make_face()
    assert opened(await art.hero(face)).size == (1032, 336)
    logo = opened(await art.program_logo(face)).convert("RGBA")
    assert logo.size == (660, 660)
    assert logo.getchannel("A").getextrema() == (255, 255)


async def test_googles_logo_survives_the_circle_that_is_cut_out_of_it() -> None:
    logo = opened(await studio().program_logo(make_face())).convert("RGB")
    ground = logo.getpixel((0, 0))
    safe = round(660 * 0.15)
    plain = Image.new("RGB", logo.size, ground)
    box = ImageChops.difference(logo, plain).getbbox()
    assert box is not None
    assert min(box[:2]) >= safe
    assert max(box[2:]) <= 660 - safe


async def test_apples_logos_are_round_without_margin_and_show_the_pass_around_it() -> (
    None
):
    art, face = studio(), make_face()
    for png, side in (
        (await art.logo(face, 3), 150),
        (await art.primary_logo(face, 3), 90),
    ):
        logo = opened(png).convert("RGBA").getchannel("A")
        assert logo.getpixel((0, 0)) == 0
        assert logo.getbbox() == (0, 0, side, side)


@pytest.mark.parametrize("goal", [1, 10, 50])
async def test_pictures_of_stamps_are_small_palettes(goal: int) -> None:
    art = studio()
    for face in (make_face(0, goal), make_face(goal, goal)):
        for png in (await art.strip(face, 3), await art.hero(face)):
            assert opened(png).mode == "P"
            assert len(png) < 24_000
        poster = await art.poster(face, 3)
        assert opened(poster).mode == "P"
        assert len(poster) < 30_000


async def test_the_same_card_gives_the_same_bytes_in_every_process() -> None:
    face = make_face()
    assert await studio().strip(face, 3) == await studio().strip(face, 3)
    assert await studio().poster(face, 3) == await studio().poster(face, 3)


# --- stamps ---------------------------------------------------------------------


@pytest.mark.parametrize("goal", [1, 5, 10, 20, 30, 50])
@pytest.mark.parametrize("kind", ["strip", "poster"])
async def test_each_stamp_changes_its_own_place_only(kind: str, goal: int) -> None:
    artwork = studio()
    art = artwork.strip if kind == "strip" else artwork.poster
    canvas = strip_canvas(2) if kind == "strip" else poster_canvas(2)
    places = lay_out(goal, {5, goal}, canvas)
    before = await art(make_face(0, goal), 2)
    for number, place in enumerate(places, start=1):
        after = await art(make_face(number, goal), 2)
        box = changed(before, after)
        assert box is not None, number
        assert box[0] >= place.left
        assert box[1] >= place.top
        assert box[2] <= place.left + place.side
        assert box[3] <= place.top + place.side
        before = after


@pytest.mark.parametrize("balance", [0, 10])
async def test_reward_and_goal_are_marked_empty_and_stamped(balance: int) -> None:
    with_reward = await studio().strip(make_face(balance, extra=(5,)), 3)
    without = await studio().strip(make_face(balance, extra=()), 3)
    fifth = lay_out(10, {5}, strip_canvas(3))[4]
    box = changed(with_reward, without)
    assert box is not None
    assert fifth.left <= box[0] < box[2] <= fifth.left + fifth.side

    card = opened(without).convert("RGB")
    tiles = [
        card.crop((p.left, p.top, p.left + p.side, p.top + p.side))
        for p in lay_out(10, (), strip_canvas(3))
    ]
    # Stamps lean in turns of five: the tenth would be as the fifth, but is the goal.
    assert ImageChops.difference(tiles[4], tiles[9]).getbbox()


async def test_an_empty_reward_shows_a_gift_and_the_goal_a_star() -> None:
    card = opened(await studio().strip(make_face(0, extra=(5,)), 3)).convert("RGB")
    middles = []
    for place in lay_out(10, {5}, strip_canvas(3)):
        centre_x, centre_y = place.left + place.side // 2, place.top + place.side // 2
        box = (centre_x - 30, centre_y - 30, centre_x + 30, centre_y + 30)
        middles.append(card.crop(box).tobytes())
    plain, gift, star = middles[0], middles[4], middles[9]
    assert middles == [plain] * 4 + [gift] + [plain] * 4 + [star]
    assert len({plain, gift, star}) == 3


@pytest.mark.parametrize("icon", GLYPHS)
async def test_every_icon_gives_a_stamp_of_its_own(icon: str) -> None:
    art = studio()
    other = "heart" if icon != "heart" else "star"
    one = make_face(1, look=replace(BROWN, icon=icon))
    two = make_face(1, look=replace(BROWN, icon=other))
    assert changed(await art.strip(one, 1), await art.strip(two, 1))


@pytest.mark.parametrize(("background", "foreground"), HARD)
@pytest.mark.parametrize("kind", ["strip", "poster"])
async def test_stamps_and_rings_stand_out_in_any_colours(
    kind: str, background: str, foreground: str
) -> None:
    look = Look(background=background, foreground=foreground, icon="leaf")
    face, art = make_face(1, extra=(), look=look), studio()
    png = await (art.strip(face, 3) if kind == "strip" else art.poster(face, 3))
    canvas = strip_canvas(3) if kind == "strip" else poster_canvas(3)
    picture = opened(png).convert("RGB")
    stamped, empty, *_ = lay_out(10, (), canvas)

    def at(left: int, top: int) -> str:
        pixel = picture.getpixel((left, top))
        assert isinstance(pixel, tuple)
        return "#{:02X}{:02X}{:02X}".format(*pixel)

    paper = at(0, 0)
    assert paper == background
    inside_the_disc = at(stamped.left + stamped.side // 2, stamped.top + 8)
    column = empty.left + empty.side // 2
    rim = {at(column, empty.top + dy) for dy in range(10)}
    assert contrast_ratio(inside_the_disc, paper) >= 4.4
    assert max(contrast_ratio(colour, paper) for colour in rim) >= 2.9


@pytest.mark.parametrize("scale", [1, 2, 3])
async def test_the_strip_meets_the_pass_in_exactly_its_colour(scale: int) -> None:
    for background in ("#5A3A22", "#010203", "#FEFDFC", "#06C755", "#808080"):
        look = replace(BROWN, background=background)
        strip = opened(await studio().strip(make_face(look=look), scale)).convert("RGB")
        edge = strip.crop((0, 0, 20 * scale - 1, 144 * scale))
        assert edge.getcolors() == [(edge.width * edge.height, rgb(background))]


@pytest.mark.parametrize("goal", [1, 5, 10, 20, 50])
async def test_where_the_poster_has_its_words_the_picture_is_bare(goal: int) -> None:
    # The pass's own colours are chosen for words on its paper.
    face = make_face(goal, goal)
    poster = opened(await studio().poster(face, 1)).convert("RGB")
    for box in ((0, 0, 358, 63), (0, 301, 358, 448)):
        words = poster.crop(box)
        area = words.width * words.height
        assert words.getcolors() == [(area, rgb(BROWN.background))]


# --- merchants' own icons -------------------------------------------------------


async def test_the_merchants_own_icon_is_in_every_picture() -> None:
    art, face = studio(own_icon()), make_face(10, look=MINE)
    for png in (
        await art.strip(face, 3),
        await art.poster(face, 3),
        await art.hero(face),
        await art.primary_logo(face, 3),
        await art.icon(face, 3),
        await art.logo(face, 3),
        await art.program_logo(face),
    ):
        colours = opened(png).convert("RGBA").convert("RGB").getcolors(2**20)
        assert colours is not None
        assert any(
            max(abs(a - b) for a, b in zip(colour, GREEN, strict=True)) < 6
            for _, colour in colours
            if isinstance(colour, tuple)
        )


@pytest.mark.parametrize("content", [None, b"damaged"])
async def test_a_lost_icon_is_a_star(content: bytes | None) -> None:
    star = make_face(look=replace(BROWN, icon="star"))
    lost = make_face(look=MINE)
    assert await studio(content).strip(lost, 2) == await studio().strip(star, 2)


async def test_a_lost_icon_that_comes_back_is_shown() -> None:
    icons = Icons(None)
    art, face = Artwork(icons.load), make_face(look=MINE)
    star = await art.strip(face, 1)
    icons.content = own_icon()
    assert await art.strip(face, 1) != star
    assert icons.asked[0] == ("m", DIGEST)


# --- drawn once -----------------------------------------------------------------


async def test_a_crowd_at_once_draws_a_design_once() -> None:
    icons = Icons(own_icon())
    art = Artwork(icons.load)
    faces = [make_face(n % 11, look=MINE) for n in range(44)]
    pictures = await asyncio.gather(*(art.strip(face, 3) for face in faces))
    assert len(icons.asked) == 1
    assert len({id(picture) for picture in pictures}) == 11


async def test_a_picture_that_was_drawn_costs_nothing_any_more() -> None:
    art, face = studio(), make_face()
    first = await art.strip(face, 3)
    assert await art.strip(replace(face, card_id=CardId("d"), code="x"), 3) is first
    poster = await art.poster(face, 3)
    assert await art.poster(replace(face, card_id=CardId("d"), code="x"), 3) is poster


async def test_a_prepared_design_is_not_drawn_again_for_any_pass() -> None:
    icons = Icons(own_icon())
    art = Artwork(icons.load)
    await art.prepare(Art.of_face(make_face(look=MINE)))
    asked, kept = len(icons.asked), art.kept_bytes
    for face in (make_face(n, look=MINE) for n in range(11)):
        for scale in (1, 2, 3):
            for kind in (art.icon, art.logo, art.strip, art.poster, art.primary_logo):
                assert await kind(face, scale)
    assert (len(icons.asked), art.kept_bytes) == (asked, kept)


async def test_the_shelf_stays_within_its_size() -> None:
    art = studio(most_bytes=30_000)
    for balance in range(11):
        assert await art.strip(make_face(balance), 3)
    assert art.kept_bytes <= 30_000
    newest = make_face(10)
    assert await art.strip(newest, 3) is await art.strip(newest, 3)


@pytest.mark.parametrize(("balance", "scale"), [(-1, 1), (11, 1), (3, 0), (3, 4)])
async def test_a_picture_that_cannot_be_is_refused(balance: int, scale: int) -> None:
    art = Art.of_face(make_face())
    with pytest.raises(ValueError, match="no picture"):
        await studio().draw(art, "strip", balance, scale)
