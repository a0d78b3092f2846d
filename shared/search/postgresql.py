"""PostgreSQL's full text search, without its dictionaries and its parser: they differ between servers."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, cast
from sqlalchemy.dialects.postgresql import TSQUERY

from shared.models import Passage
from shared.search.query import Query, Term


class TsVector:
    """See `WordIndex`. A token has letters and digits only, so that quotes are enough around it."""

    def words(self, tokens: Sequence[str]) -> str:
        """A tsvector as one writes it: every token with its place."""
        return " ".join(f"'{token}':{place}" for place, token in enumerate(tokens, 1))

    def having(self, query: Query) -> ColumnElement[bool]:
        """The terms as a tsquery."""
        asked = " & ".join(_phrase(term) for term in query.terms)
        return Passage.words.op("@@", is_comparison=True)(cast(asked, TSQUERY))


def _phrase(term: Term) -> str:
    quoted = " <-> ".join(f"'{token}'" for token in term.tokens)
    return f"({quoted}{':*' if term.is_open else ''})"
