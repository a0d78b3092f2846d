"""SQLite's FTS5: the table `passage_index`, which triggers keep like `passages`."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, column, select, table

from shared.models import Passage
from shared.search.query import Query, Term

_INDEX = table("passage_index", column("rowid"), column("passage_index"))


class Fts5:
    """See `WordIndex`."""

    def words(self, tokens: Sequence[str]) -> str:
        """A text whose words are the tokens."""
        return " ".join(tokens)

    def having(self, query: Query) -> ColumnElement[bool]:
        """A token has no character that could mean anything in FTS5's language; quoted, no word either.

        `+ 0` keeps SQLite from beginning with the words, whose passages it would read whoever may see them;
        so it looks up what one may see among their numbers.
        """
        asked = " AND ".join(_phrase(term) for term in query.terms)
        return (Passage.id + 0).in_(select(_INDEX.c.rowid).where(_INDEX.c.passage_index.op("MATCH")(asked)))


def _phrase(term: Term) -> str:
    return f'"{" ".join(term.tokens)}"' + (" *" if term.is_open else "")
