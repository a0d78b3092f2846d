"""Who may use the bot: the settings' list, and what its owner has said since. Asked for every update."""

import hmac
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bots.telegram import pairing
from bots.telegram.pairing import pairing_code
from bots.telegram.reading import Speaker
from shared.chat.telegram import PLATFORM
from shared.database import Database, upsert
from shared.models import Member, Role, table

log = logging.getLogger(__name__)

ID = re.compile(r"-?[1-9][0-9]{0,18}")  # Telegram's, of a person, a group or a channel


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


def standing(
    roles: Mapping[str, Role], person: str, chat: str, *, has_owner: bool = True, is_channel: bool = False
) -> Standing:
    """The rule: the owner always; who is denied never; else who is allowed, or speaks in a group that is.

    A channel has to be allowed itself, for in its name a person could speak who is denied.
    """
    mine, here = roles.get(person), roles.get(chat)
    if mine is Role.OWNER:
        return Standing.OWNER
    is_let_in = mine is Role.ALLOWED or (here is not None and not is_channel)
    if is_let_in and Role.DENIED not in (mine, here):
        return Standing.ALLOWED
    return Standing.STRANGER if has_owner else Standing.UNOWNED


class Access:
    """The members of one bot. `allowed` are the ids of the settings; the first person among them owns it."""

    def __init__(self, database: Database, allowed: Sequence[str], keys: Sequence[str], token: str) -> None:
        self._database = database
        self._keys = keys
        self._token = token
        ids = [subject for subject in allowed if ID.fullmatch(subject)]
        if wrong := [subject for subject in allowed if subject not in ids]:
            log.warning(
                "LINKFERRY_TELEGRAM_ALLOWED takes the Telegram IDs of people and groups, not %s", wrong
            )
        self._given = dict.fromkeys(ids, Role.ALLOWED)
        self._owner = next((subject for subject in ids if subject.isdecimal()), None)
        if self._owner is not None:
            self._given[self._owner] = Role.OWNER

    async def standing(self, speaker: Speaker) -> Standing:
        """What this person may do in this chat."""
        wanted = or_(Member.subject.in_((speaker.user_id, speaker.chat_id)), Member.role == Role.OWNER)
        roles = self._merged(await self._stored(wanted))
        has_owner = Role.OWNER in roles.values()
        return standing(
            roles, speaker.user_id, speaker.chat_id, has_owner=has_owner, is_channel=speaker.is_channel
        )

    async def open_code(self) -> str | None:
        """The pairing code while it counts: nobody owns the bot, and the settings name no person."""
        if await self.owner() is not None:
            return None
        async with self._database.write() as session:
            return pairing_code(self._keys, self._token, await pairing.make_salt(session))

    async def owner(self) -> str | None:
        """Whose bot it is."""
        if self._owner is not None:
            return self._owner
        owners = await self._stored(Member.role == Role.OWNER)
        return owners[0].subject if owners else None

    async def pair(self, speaker: Speaker, code: str) -> bool:
        """Make this person the owner, if the code is right and nobody was faster."""
        if await self.owner() is not None:
            return False
        async with self._database.write() as session:
            if not self._database.is_sqlite:  # there, a write is alone anyway
                await session.execute(text("LOCK TABLE members IN SHARE ROW EXCLUSIVE MODE"))
            salt = await pairing.salt_of(session)
            if salt is None or await session.scalar(_OWNERS) is not None:
                return False
            right = pairing_code(self._keys, self._token, salt)
            if not hmac.compare_digest(code.strip().upper().encode(), right.encode()):
                return False
            await _store(session, speaker.user_id, Role.OWNER, speaker.name)
            await pairing.use_up(session)
        return True

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


_OWNERS = select(Member.subject).where(Member.platform == PLATFORM, Member.role == Role.OWNER)
_RANK = {Role.OWNER: 0, Role.ALLOWED: 1, Role.DENIED: 2}


async def _store(session: AsyncSession, subject: str, role: Role, name: str) -> None:
    row = upsert(session, table(Member)).values(platform=PLATFORM, subject=subject, role=role, name=name)
    values = {"role": role} | ({"name": name} if name else {})
    await session.execute(row.on_conflict_do_update(index_elements=["platform", "subject"], set_=values))
