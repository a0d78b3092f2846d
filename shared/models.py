"""The tables. DESIGN's words are the names; the state machine that moves them is `shared.jobs`."""

from datetime import datetime
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    or_,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from shared.database import UtcDateTime, db_now
from shared.errors import Code
from shared.ids import new_id
from shared.slack_tables import bots_table, installations_table, states_table
from shared.states import ACTIVE, PULLED, ArtifactKind, Delivery, JobState, Role, Stage


def _words(kind: type[StrEnum], length: int = 32) -> Enum:
    """Store an enum by its value, as plain text: readable, and a new member needs no migration."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=False,
        length=length,
        values_callable=lambda e: [m.value for m in e],
    )


__all__ = [
    "ACTIVE",
    "PULLED",
    "SLACK_BOTS",
    "Artifact",
    "ArtifactKind",
    "Base",
    "ChatSettings",
    "CoolDown",
    "Delivery",
    "Job",
    "JobState",
    "Member",
    "OutboxRow",
    "Passage",
    "Request",
    "Role",
    "Stage",
    "Upload",
    "WorkerSign",
    "is_gone",
    "table",
]


class Base(DeclarativeBase):
    """Named constraints, so that migrations can find them; one column type per Python type."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(none_as_null=True),
        list[str]: JSON(none_as_null=True),
        JobState: _words(JobState),
        Stage: _words(Stage),
        ArtifactKind: _words(ArtifactKind),
        Delivery: _words(Delivery),
        Role: _words(Role),
        Code: _words(Code),
    }


_ACTIVE = text("state IN ('queued', 'running')")
_KEPT = text("deleted_at IS NULL")


class Job(Base):
    """The work that one or more requests wait for.

    `link_key` identifies link + options as sent; `media_key` extractor + id + options, once known. Both are
    unique among active jobs, and emptied when a running job is cancelled. `attempt` is the fence: every write
    of a worker names it. `fetched`: the most bytes of media that an attempt had got, as far as it was told.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index(
            "uq_jobs_link_key_active", "link_key", unique=True, sqlite_where=_ACTIVE, postgresql_where=_ACTIVE
        ),
        Index(
            "uq_jobs_media_key_active",
            "media_key",
            unique=True,
            sqlite_where=_ACTIVE,
            postgresql_where=_ACTIVE,
        ),
        Index("ix_jobs_link_key", "link_key"),
        Index("ix_jobs_media_key", "media_key"),
        Index("ix_jobs_state_turn", "state", "turn", "id"),
        Index("ix_jobs_user_key_state_turn", "user_key", "state", "turn"),
        Index("ix_jobs_user_key_finished_at", "user_key", "finished_at"),
        Index("ix_jobs_state_run_after", "state", "run_after"),
        Index("ix_jobs_state_finished_at", "state", "finished_at"),
        Index("ix_jobs_state_lease_until", "state", "lease_until"),
        CheckConstraint("state <> 'joined' OR joined_to IS NOT NULL", name="joined_names_its_target"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    link: Mapped[str] = mapped_column(String(2048))
    site: Mapped[str] = mapped_column(String(255))
    user_key: Mapped[str] = mapped_column(String(255))
    options: Mapped[dict[str, Any]]
    link_key: Mapped[str | None] = mapped_column(String(64))
    media_key: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[JobState] = mapped_column(default=JobState.QUEUED)
    turn: Mapped[int] = mapped_column(BigInteger, default=0)
    joined_to: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id"))

    attempt: Mapped[int] = mapped_column(default=0)
    failures: Mapped[int] = mapped_column(default=0)
    crashes: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(128))
    lease_until: Mapped[datetime | None]
    run_after: Mapped[datetime | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    fetched: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")

    stage: Mapped[Stage | None]
    progress: Mapped[dict[str, Any] | None]
    title: Mapped[str | None] = mapped_column(String(1024))
    title_words: Mapped[str | None] = mapped_column(Text)
    duration: Mapped[float | None] = mapped_column(Float)
    media: Mapped[dict[str, Any] | None]
    note: Mapped[str | None] = mapped_column(String(1024))
    error_code: Mapped[Code | None]
    error_message: Mapped[str | None] = mapped_column(String(1024))
    traceparent: Mapped[str | None] = mapped_column(String(55))

    created_at: Mapped[datetime] = mapped_column(default=db_now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    artifacts: Mapped[list["Artifact"]] = relationship(order_by="Artifact.id", lazy="raise")


class Request(Base):
    """One person asked for one thing in one place. `event_key` is the platform's id of the event.

    `post_after`: until then somebody is at posting its status message.

    `delivery_after` is empty until there is something to deliver. `reply_to` is the message that asked, where
    a platform shows answers beside it; `as_link` asks for a link also where the file itself could be sent.
    `traceparent` is where its trace goes on; a job's is that of the request that made it.
    """

    __tablename__ = "requests"
    __table_args__ = (
        Index("ix_requests_job_id", "job_id"),
        Index("ix_requests_person", "platform", "user_id", "id"),
        Index("ix_requests_chat", "platform", "chat_id", "id"),
        Index(
            "ix_requests_due",
            "delivery_after",
            sqlite_where=text("delivery = 'pending'"),
            postgresql_where=text("delivery = 'pending'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    event_key: Mapped[str] = mapped_column(String(255), unique=True)
    platform: Mapped[str] = mapped_column(String(32))
    chat_id: Mapped[str] = mapped_column(String(255))
    thread_id: Mapped[str | None] = mapped_column(String(255))
    user_id: Mapped[str] = mapped_column(String(255))
    status_message: Mapped[str | None] = mapped_column(String(255))
    post_after: Mapped[datetime | None]
    reply_to: Mapped[str | None] = mapped_column(String(255))
    as_link: Mapped[bool] = mapped_column(default=False)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"))
    cancelled: Mapped[bool] = mapped_column(default=False)
    delivery: Mapped[Delivery] = mapped_column(default=Delivery.PENDING)
    delivery_after: Mapped[datetime | None]
    delivery_failures: Mapped[int] = mapped_column(default=0)
    traceparent: Mapped[str | None] = mapped_column(String(55))
    created_at: Mapped[datetime] = mapped_column(default=db_now())
    delivered_at: Mapped[datetime | None]

    job: Mapped[Job] = relationship(lazy="raise")


class Artifact(Base):
    """One stored file of a finished job. `size` in bytes; `duration` in seconds; `height` in pixels."""

    __tablename__ = "artifacts"
    __table_args__ = (
        Index("ix_artifacts_job_id", "job_id"),
        Index("ix_artifacts_kept", "expires_at", sqlite_where=_KEPT, postgresql_where=_KEPT),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"))
    kind: Mapped[ArtifactKind]
    format: Mapped[str] = mapped_column(String(16))
    language: Mapped[str | None] = mapped_column(String(35))
    source: Mapped[str | None] = mapped_column(String(32))
    file_name: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(127))
    storage_key: Mapped[str] = mapped_column(String(255), unique=True)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    height: Mapped[int | None]
    duration: Mapped[float | None] = mapped_column(Float)
    created_at: Mapped[datetime] = mapped_column(default=db_now())
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]

    def columns(self) -> dict[str, Any]:
        """The values that are set, by column, for an insert of many."""
        names = self.__table__.columns.keys()
        return {"id": new_id()} | {name: self.__dict__[name] for name in names if name in self.__dict__}


def is_gone() -> ColumnElement[bool]:
    """SQL: nobody is to have the file any more."""
    return or_(
        Artifact.expires_at <= db_now(), Artifact.revoked_at.is_not(None), Artifact.deleted_at.is_not(None)
    )


class Passage(Base):
    """A part of a transcript as /find looks for it, from `start`, in seconds. See `shared.search`.

    `artifact_id` is one of the files that have this transcript; `words` are the folded words of `cues`. On
    SQLite an FTS5 table, which triggers keep up to date, stands for the index of the words.
    """

    __tablename__ = "passages"
    __table_args__ = (
        Index("ix_passages_artifact_id", "artifact_id"),
        Index("ix_passages_words", "words", postgresql_using="gin").ddl_if(dialect="postgresql"),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    artifact_id: Mapped[UUID] = mapped_column(ForeignKey("artifacts.id"))
    start: Mapped[float] = mapped_column(Float)
    words: Mapped[str] = mapped_column(Text().with_variant(TSVECTOR(), "postgresql"))
    cues: Mapped[list[tuple[float, str]]] = mapped_column(JSON)


class OutboxRow(Base):
    """A job id that still has to reach the queue; deleted once the queue has it for certain."""

    __tablename__ = "outbox"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id"))
    created_at: Mapped[datetime] = mapped_column(default=db_now())


class ChatSettings(Base):
    """What a chat wants unless a message says otherwise. `choice` is empty: ask about every plain link."""

    __tablename__ = "chat_settings"

    platform: Mapped[str] = mapped_column(String(32), primary_key=True)
    chat_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    choice: Mapped[str | None] = mapped_column(String(16))
    languages: Mapped[list[str]] = mapped_column(default=list)
    as_link: Mapped[bool] = mapped_column(default=False)


class Member(Base):
    """A person or a chat of a platform, and what it may do. `subject` is the platform's own id."""

    __tablename__ = "members"

    platform: Mapped[str] = mapped_column(String(32), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    role: Mapped[Role]
    name: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=db_now())


class Upload(Base):
    """A file that a platform has already, under its own id, so that it need not be sent again."""

    __tablename__ = "uploads"

    platform: Mapped[str] = mapped_column(String(32), primary_key=True)
    artifact_id: Mapped[UUID] = mapped_column(ForeignKey("artifacts.id"), primary_key=True)
    file_id: Mapped[str] = mapped_column(String(255))


class CoolDown(Base):
    """A site that asked for rest, and until when it gets it."""

    __tablename__ = "cool_downs"

    site: Mapped[str] = mapped_column(String(255), primary_key=True)
    until: Mapped[datetime]


class WorkerSign(Base):
    """A worker's sign of life."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    slots: Mapped[int]
    started_at: Mapped[datetime] = mapped_column(default=db_now())
    seen_at: Mapped[datetime]


SLACK_BOTS = bots_table(Base.metadata)
installations_table(Base.metadata)
states_table(Base.metadata)


def table(model: type[Base]) -> Table:
    """A model's table, for statements that need no objects."""
    return cast(Table, model.__table__)
