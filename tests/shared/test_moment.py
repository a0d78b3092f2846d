"""Moments in addresses."""

from shared.moment import at_moment, exact


def test_moments_are_exact_and_short() -> None:
    seconds = (0, 83, 83.5, 3723.25, 0.001)
    assert [exact(value) for value in seconds] == ["0", "83", "83.5", "3723.25", "0.001"]


def test_an_address_names_a_line_as_the_page_does() -> None:
    assert at_moment("https://ferry.example/w/t", 83.926) == "https://ferry.example/w/t#t=83.926"
