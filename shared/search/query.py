"""What somebody looks for: a stranger's words become a typed query. Pure, and any text is one.

budget meeting      both words, in whatever order, near each other
"budget meeting"    the phrase
budg*               words that begin so; also at the end of a phrase
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.search.words import composed, tokens, units

MOST_TERMS = 16
MOST_TOKENS = 64  # of one phrase

_QUOTES = re.compile("[“”„‟«»＂]")  # as keyboards of phones and other languages write them
_TERM = re.compile(r'"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+)')


class Term(NamedTuple):
    """Tokens that follow each other, as `words.tokens` makes them.

    `is_open`: the last one may go on. `reaches_on`: it is a pair, with whose second half the meant text ends.
    """

    tokens: tuple[str, ...]
    is_open: bool = False
    reaches_on: bool = False

    def places(self, among: Sequence[str]) -> Iterator[int]:
        """Where it begins among the tokens of a text."""
        *whole, last = self.tokens
        size = len(whole)
        for place in range(len(among) - size):
            found = among[place + size]
            if (found.startswith(last) if self.is_open else found == last) and (
                not size or list(among[place : place + size]) == whole
            ):
                yield place


class Query(NamedTuple):
    """Everything that has to be found together; nothing to look for when there are no terms."""

    terms: tuple[Term, ...]


def read_query(text: str) -> Query:
    """The query in what somebody wrote; what is no word is left out."""
    text = _QUOTES.sub('"', composed(text))
    terms = []
    for found in _TERM.finditer(text):
        if term := _term(found["word"] or found["phrase"]):
            terms.append(term)
    return Query(tuple(dict.fromkeys(terms))[:MOST_TERMS])


def _term(text: str) -> Term | None:
    """A word may be several tokens, `e-mail` or a sentence in Chinese: then it is a phrase."""
    found = units(text)[:MOST_TOKENS]
    if not found:
        return None
    made = tokens(found)
    if not found[-1].is_undivided:
        return Term(tuple(made), is_open=text.endswith("*"))
    if len(found) > 1 and found[-2].is_undivided:
        return Term(tuple(made[:-1]), reaches_on=True)
    return Term(tuple(made), is_open=True)  # one character, and whatever follows it
