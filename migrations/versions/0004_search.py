"""What /find looks through: the words of titles, and passages of transcripts"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

from shared.search.words import title_words

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# `ascii` takes every character beyond ASCII for one of a word: what a word is was decided before it came
# here. No `columnsize`: nothing is ranked by it.
INDEX = """
    CREATE VIRTUAL TABLE passage_index
    USING fts5(words, content='passages', content_rowid='id', tokenize='ascii', columnsize=0)
"""
ADDED = """
    CREATE TRIGGER passages_added AFTER INSERT ON passages BEGIN
        INSERT INTO passage_index(rowid, words) VALUES (new.id, new.words);
    END
"""
DELETED = """
    CREATE TRIGGER passages_deleted AFTER DELETE ON passages BEGIN
        INSERT INTO passage_index(passage_index, rowid, words) VALUES ('delete', old.id, old.words);
    END
"""


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("jobs", sa.Column("title_words", sa.Text(), nullable=True))
    _fill_title_words()
    op.create_table(
        "passages",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True),
        sa.Column("artifact_id", sa.Uuid(), nullable=False),
        sa.Column("start", sa.Float(), nullable=False),
        sa.Column("words", sa.Text().with_variant(TSVECTOR(), "postgresql"), nullable=False),
        sa.Column("cues", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifacts.id"], name=op.f("fk_passages_artifact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passages")),
    )
    op.create_index("ix_passages_artifact_id", "passages", ["artifact_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.create_index("ix_passages_words", "passages", ["words"], postgresql_using="gin")
    else:
        for statement in (INDEX, ADDED, DELETED):
            op.execute(statement)


def downgrade() -> None:
    """Take the schema back."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE passage_index")
    op.drop_table("passages")
    op.execute("ALTER TABLE jobs DROP COLUMN title_words")


def _fill_title_words() -> None:
    """Titles that are there already."""
    jobs = sa.table("jobs", sa.column("id", sa.Uuid()), sa.column("title"), sa.column("title_words"))
    write = jobs.update().where(jobs.c.id == sa.bindparam("job"))
    connection = op.get_bind()
    titled = connection.execute(sa.select(jobs.c.id, jobs.c.title).where(jobs.c.title.is_not(None))).all()
    if titled:
        words = [{"job": job, "words": title_words(title)} for job, title in titled]
        connection.execute(write.values(title_words=sa.bindparam("words")), words)
