from hypothesis import given
from hypothesis import strategies as st

from core.rules.colours import (
    contrast_ratio,
    is_colour,
    legible,
    mix,
    readable_on,
    tint,
)

colours = st.integers(0, 0xFFFFFF).map(lambda n: f"#{n:06X}")


def test_the_ratio_is_the_one_of_wcag() -> None:
    # Known pairs: the extremes, and #777777 on white, which just misses 4.5.
    assert contrast_ratio("#000000", "#FFFFFF") == 21
    assert contrast_ratio("#5A3A22", "#5A3A22") == 1
    assert round(contrast_ratio("#777777", "#FFFFFF"), 2) == 4.48


@given(colours)
def test_text_can_be_read_on_any_background(background: str) -> None:
    assert contrast_ratio(readable_on(background), background) >= 4.5


@given(colours, colours)
def test_any_wanted_colour_is_made_legible(wanted: str, background: str) -> None:
    assert contrast_ratio(legible(wanted, background), background) >= 4.5


def test_a_colour_that_reads_well_stays_as_it_is() -> None:
    assert legible("#FFFFFF", "#5A3A22") == "#FFFFFF"


@given(colours, colours)
def test_a_tint_is_quieter_than_the_ink_but_told_apart(paper: str, wanted: str) -> None:
    ink = legible(wanted, paper)
    quiet = tint(paper, ink, 3)
    assert 3 <= contrast_ratio(quiet, paper) <= contrast_ratio(ink, paper)


def test_a_mixture_lies_between_its_two_colours() -> None:
    assert mix("#000000", "#FFFFFF", 0) == "#000000"
    assert mix("#000000", "#FF8000", 0.5) == "#804000"
    assert mix("#000000", "#FFFFFF", 1) == "#FFFFFF"


def test_only_six_hexadecimal_digits_are_a_colour() -> None:
    assert is_colour("#5a3A22")
    for text in ("5A3A22", "#FFF", "#GGGGGG", "#5A3A22 ", "#5A3A22\n", "red", ""):
        assert not is_colour(text), text
