"""What is remembered only for a while."""

from shared.recent import Recent


def test_only_what_was_set_last_is_remembered() -> None:
    kept: Recent[str, int] = Recent(2)
    for number, key in enumerate("abac"):
        kept[key] = number
    assert list(kept.items()) == [("a", 2), ("c", 3)]
    assert (kept.get("b", -1), kept.pop("a", -1), len(kept)) == (-1, 2, 1)
