"""What differs between databases: how words are kept, and how one asks for them."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import ColumnElement

from shared.search.query import Query


class WordIndex(Protocol):
    """A database's index of words. It decides nothing about words: both sides get finished tokens."""

    def words(self, tokens: Sequence[str]) -> str:
        """The value of the column `passages.words` for a text with these tokens."""
        ...

    def having(self, query: Query) -> ColumnElement[bool]:
        """SQL: the passage has all terms of the query, of which there is one at least."""
        ...
