"""Who may use the bot: the settings' list, and what its owner has said since. Asked for every update."""

import base64
import hashlib
import hmac
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bots.telegram.reading import PLATFORM, Speaker
from shared.database import Database, upsert
from shared.models import Member, Role, table

log = logging.getLogger(__name__)

CODE_LENGTH = 8  # characters of five bits each
PURPOSE = b"linkferry: who owns this telegram bot? "


class Standing(StrEnum):
    """What somebody may do here. `UNOWNED`: nobody may do anything yet."""

    OWNER = "owner"
    ALLOWED = "allowed"
    STRANGER = "stranger"
    UNOWNED = "unowned"

    @property
    def may_use(self) -> bool:
        """Whether wishes are taken."""
        return self in (Standing.OWNER, Standing.ALLOWED)


@dataclass(frozen=True)
class Known:
    """A person or a group with a role."""

    subject: str
    role: Role
    name: str


def pairing_code(keys: Sequence[str], token: str) -> str:
    """What makes its sender the owner: the same in every process and after every start."""
    bot_id = token.partition(":")[0].encode()
    digest = hmac.new(keys[0].encode(), PURPOSE + bot_id, hashlib.sha256).digest()
    return base64.b32encode(digest)[:CODE_LENGTH].decode()


def standing(roles: Mapping[str, Role], person: str, chat: str, *, has_owner: bool = True) -> Standing:
    """The rule: the owner always; who is denied never; else who is allowed, or speaks in a group that is."""
    mine, here = roles.get(person), roles.get(chat)
    if mine is Role.OWNER:
        return Standing.OWNER
    if Role.DENIED not in (mine, here) and (mine is Role.ALLOWED or here is not None):
        return Standing.ALLOWED
    return Standing.STRANGER if has_owner else Standing.UNOWNED


class Access:
    """The members of one bot. `allowed` are the ids of the settings; the first person among them owns it."""

    def __init__(self, database: Database, allowed: Sequence[str], keys: Sequence[str], token: str) -> None:
        self._database = database
        self._code = pairing_code(keys, token)
        self._given = dict.fromkeys(allowed, Role.ALLOWED)
        self._owner = next((subject for subject in allowed if subject.isdecimal()), None)
        if self._owner is not None:
            self._given[self._owner] = Role.OWNER
        for subject in allowed:
            if not subject.lstrip("-").isdecimal():
                log.warning(
                    "LINKFERRY_TELEGRAM_ALLOWED takes the numbers of people and groups, not %r", subject
                )

    async def standing(self, speaker: Speaker) -> Standing:
        """What this person may do in this chat."""
        wanted = or_(Member.subject.in_((speaker.user_id, speaker.chat_id)), Member.role == Role.OWNER)
        roles = self._merged(await self._stored(wanted))
        has_owner = bool(self._given) or Role.OWNER in roles.values()
        return standing(roles, speaker.user_id, speaker.chat_id, has_owner=has_owner)

    async def open_code(self) -> str | None:
        """The pairing code while it counts: nobody owns the bot, and the settings name nobody."""
        if self._given or await self._stored(Member.role == Role.OWNER):
            return None
        return self._code

    async def owner(self) -> str | None:
        """Whose bot it is."""
        if self._owner is not None:
            return self._owner
        owners = await self._stored(Member.role == Role.OWNER)
        return owners[0].subject if owners else None

    async def pair(self, speaker: Speaker, code: str) -> bool:
        """Make this person the owner, if the code is right and nobody was faster; True also when repeated."""
        is_right = hmac.compare_digest(code.strip().upper().encode(), self._code.encode())
        if not is_right or self._given:
            return False
        async with self._database.write() as session:
            if not self._database.is_sqlite:  # there, a write is alone anyway
                await session.execute(text("LOCK TABLE members IN SHARE ROW EXCLUSIVE MODE"))
            owners = select(Member.subject).where(Member.platform == PLATFORM, Member.role == Role.OWNER)
            owner = await session.scalar(owners)
            if owner is None:
                await _store(session, speaker.user_id, Role.OWNER, speaker.name)
                owner = speaker.user_id
        return owner == speaker.user_id

    async def give(self, subject: str, role: Role, name: str) -> bool:
        """Allow or deny a person or a group from now on; False for the owner, who stays."""
        current = self._merged(await self._stored(Member.subject == subject))
        if current.get(subject) is Role.OWNER:
            return False
        async with self._database.write() as session:
            await _store(session, subject, role, name)
        return True

    async def everybody(self) -> list[Known]:
        """All who have a role, the owner first."""
        stored = await self._stored(Member.platform == PLATFORM)
        names = {member.subject: member.name or "" for member in stored}
        known = [Known(who, role, names.get(who, "")) for who, role in self._merged(stored).items()]
        return sorted(known, key=lambda one: (_RANK[one.role], one.subject))

    async def _stored(self, wanted: ColumnElement[bool]) -> list[Member]:
        query = select(Member).where(Member.platform == PLATFORM, wanted)
        async with self._database.read() as session:
            return list(await session.scalars(query))

    def _merged(self, stored: Sequence[Member]) -> dict[str, Role]:
        """The settings' word and the owner's: the settings name the owner, who may take back all the rest."""
        roles = {member.subject: member.role for member in stored}
        if self._owner is not None:
            roles = {who: Role.ALLOWED if role is Role.OWNER else role for who, role in roles.items()}
        return self._given | roles | ({self._owner: Role.OWNER} if self._owner else {})


_RANK = {Role.OWNER: 0, Role.ALLOWED: 1, Role.DENIED: 2}


async def _store(session: AsyncSession, subject: str, role: Role, name: str) -> None:
    row = upsert(session, table(Member)).values(platform=PLATFORM, subject=subject, role=role, name=name)
    values = {"role": role} | ({"name": name} if name else {})
    await session.execute(row.on_conflict_do_update(index_elements=["platform", "subject"], set_=values))
