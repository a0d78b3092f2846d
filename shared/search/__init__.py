"""Search: `/find words` over titles and transcripts, on SQLite (FTS5) and PostgreSQL (full text search).

    words        what a word is, in any language        query     what somebody looks for
    passages     transcript -> what is indexed          moments   what was found -> what is shown
    port         what differs between databases         finding   the question that is asked of both

Nothing is imported here: what writes captions needs `words` and `passages`, and no database.
"""
