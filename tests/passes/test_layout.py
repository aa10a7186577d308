from collections import Counter

import pytest

from passes.layout import TALL_ROWS, Canvas, Place, lay_out

HERO = Canvas(1032, 336, 60, 36, most_rows=4)


def strip_canvas(scale: int) -> Canvas:
    return Canvas(375 * scale, 144 * scale, 20 * scale, 12 * scale)


def poster_canvas(scale: int) -> Canvas:
    size = (358 * scale, 448 * scale, 20 * scale, 64 * scale)
    return Canvas(*size, foot=84 * scale, rows=TALL_ROWS)


CANVASES = [*(make(s) for make in (strip_canvas, poster_canvas) for s in (1, 2, 3))]


@pytest.mark.parametrize("goal", range(1, 51))
@pytest.mark.parametrize("canvas", [*CANVASES, HERO])
def test_places_keep_the_margins_and_never_touch(goal: int, canvas: Canvas) -> None:
    places = lay_out(goal, (), canvas)
    assert len(places) == goal
    side = places[0].side
    assert {place.side for place in places} == {side}
    for place in places:
        assert place.left >= canvas.margin_x - 1
        assert place.top >= canvas.margin_y - 1
        assert place.left + side <= canvas.width - canvas.margin_x + 1
        lowest = canvas.height - canvas.foot - canvas.margin_y
        assert place.top + side <= lowest + 1
    for index, one in enumerate(places):
        for other in places[index + 1 :]:
            apart = max(abs(one.left - other.left), abs(one.top - other.top))
            assert apart > side


@pytest.mark.parametrize(
    ("goal", "rows"), [(1, 1), (5, 1), (6, 2), (10, 2), (20, 2), (21, 3), (30, 3)]
)
def test_cards_have_as_many_rows_as_people_expect(goal: int, rows: int) -> None:
    assert len({place.top for place in lay_out(goal, (), strip_canvas(3))}) == rows


@pytest.mark.parametrize(
    ("goal", "rows"),
    [
        (1, [1]),
        (3, [3]),
        (4, [2, 2]),
        (5, [3, 2]),
        (8, [4, 4]),
        (9, [3, 3, 3]),
        (10, [5, 5]),
        (15, [5, 5, 5]),
        (20, [5, 5, 5, 5]),
        (25, [5, 5, 5, 5, 5]),
        (30, [6, 6, 6, 6, 6]),
        (50, [10, 10, 10, 10, 10]),
    ],
)
def test_a_tall_picture_has_short_rows(goal: int, rows: list[int]) -> None:
    found = _rows(lay_out(goal, (), poster_canvas(3)))
    assert [found[top] for top in sorted(found)] == rows


def test_stamps_on_a_poster_are_at_least_as_large_as_in_the_strip() -> None:
    for goal in range(1, 51):
        poster = lay_out(goal, (), poster_canvas(3))[0].side
        assert poster >= lay_out(goal, (), strip_canvas(3))[0].side, goal


def test_stamps_stay_large_enough_to_be_seen_and_counted() -> None:
    points = {n: lay_out(n, (), strip_canvas(3))[0].side / 3 for n in range(1, 51)}
    assert points[10] >= 50
    assert points[20] >= 28
    assert min(points.values()) >= 20
    assert all(len(_rows(lay_out(n, (), strip_canvas(1)))) <= 5 for n in range(1, 51))


def _rows(places: tuple[Place, ...]) -> Counter[int]:
    return Counter(place.top for place in places)


def test_a_full_row_of_a_long_card_is_ten() -> None:
    assert set(_rows(lay_out(50, (), strip_canvas(3))).values()) == {10}
