import re

import pytest

from core.rules.glyphs import (
    BOX,
    GLYPHS,
    OUTLINES,
    glyph_polygons,
    glyph_svg_path,
)


@pytest.mark.parametrize("name", GLYPHS + OUTLINES)
def test_every_shape_is_closed_and_inside_its_box(name: str) -> None:
    polygons = glyph_polygons(name)
    assert polygons
    assert all(len(polygon) >= 3 for polygon in polygons)
    assert all(
        0 <= n <= BOX for polygon in polygons for point in polygon for n in point
    )


@pytest.mark.parametrize("name", GLYPHS + OUTLINES)
def test_the_page_gets_a_path_of_plain_absolute_commands(name: str) -> None:
    path = glyph_svg_path(name)
    assert re.fullmatch(r"(M[^MZ]+Z)+", path)
    assert not set(path) - set("MLCQZ -.0123456789")
    assert len(path) < 3000


@pytest.mark.parametrize("name", GLYPHS)
def test_a_glyph_fills_its_box_so_that_all_look_alike_in_size(name: str) -> None:
    points = [point for polygon in glyph_polygons(name) for point in polygon]
    wide = max(x for x, _ in points) - min(x for x, _ in points)
    high = max(y for _, y in points) - min(y for _, y in points)
    assert max(wide, high) > 0.75 * BOX


def test_the_merchant_can_choose_among_ten_and_more() -> None:
    wanted = "star coffee heart paw leaf scissors bread bowl flower ticket"
    assert set(wanted.split()) <= set(GLYPHS)


def test_an_unknown_name_is_a_star() -> None:
    assert glyph_svg_path("dragon") == glyph_svg_path("star")


def test_the_goals_and_rewards_places_have_outlines_of_their_own() -> None:
    assert len({glyph_svg_path(outline) for outline in OUTLINES}) == 3
