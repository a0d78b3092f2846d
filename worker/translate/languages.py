"""Which of a translator's languages are meant: people, sites and translators have other codes. Pure."""

from collections.abc import Iterable, Sequence

from shared.languages import language_name, normalize_language
from worker.translate.port import LanguagePairUnknown, Pairs

MOST_NAMED = 6  # languages that one sentence names

_THEIRS = {"zt": "zh-Hant", "zh": "zh-Hans"}  # what they mean where they are a translator's codes
_SAME = {"zh-CN": "zh-Hans", "zh-SG": "zh-Hans", "zh-TW": "zh-Hant", "zh-HK": "zh-Hant", "zh-MO": "zh-Hant"}


def our_code(theirs: str) -> str | None:
    """A translator's code in our words; None when it is no language we know."""
    code = _THEIRS.get(theirs) or normalize_language(theirs)
    return _SAME.get(code, code) if code else None


def matching(pairs: Pairs, source: str, target: str) -> tuple[str, str]:
    """The translator's codes for this pair. Raises LanguagePairUnknown, which names what is possible."""
    theirs = _best(source, pairs)
    if theirs is None:
        possible = f", only from {_listed(pairs)}" if pairs else ""
        raise LanguagePairUnknown(f"I cannot translate from {language_name(source)}{possible}.")
    targets = sorted(code for code in pairs[theirs] if code != theirs)
    found = _best(target, targets)
    if found is None:
        possible = f", only to {_listed(targets)}" if targets else ""
        raise LanguagePairUnknown(
            f"I cannot translate {language_name(source)} to {language_name(target)}{possible}."
        )
    return theirs, found


def _best(wanted: str, offered: Iterable[str]) -> str | None:
    """The same language, else one without a region, else a neighbour such as `pt-PT` for `pt`.

    Chinese is two written languages: neither stands for the other.
    """
    code = our_code(wanted) or wanted
    ours = {theirs: known for theirs in sorted(offered) if (known := our_code(theirs))}
    same = (theirs for theirs, known in ours.items() if known == code)
    primary = code.partition("-")[0]
    plain = (theirs for theirs, known in ours.items() if known == primary)
    near = (theirs for theirs, known in ours.items() if known.partition("-")[0] == primary)
    if primary == "zh":
        return next(same, None)
    return next(same, None) or next(plain, None) or next(near, None)


def _listed(codes: Iterable[str]) -> str:
    """`German, French and Thai`; the first of them and a number where they are many."""
    known = {language_name(ours): None for code in sorted(codes) if (ours := our_code(code))}
    names: Sequence[str] = sorted(known)
    if len(names) > MOST_NAMED:
        return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"
    *first, last = names or ["nothing"]
    return f"{', '.join(first)} and {last}" if first else last
