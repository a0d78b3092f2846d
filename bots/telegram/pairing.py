"""The code in the log that makes whoever sends it the owner: once. Callers bring the transaction.

It is made of our keys and of a salt in the database, and the salt goes when the code is used: a log that is
read later opens nothing, and a bot whose members were all deleted has another code.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.chat.telegram import PLATFORM
from shared.database import upsert
from shared.models import Member, Role, table

CODE_LENGTH = 8  # characters of five bits each
PURPOSE = b"linkferry: who owns this telegram bot? "

# The salt is kept as a member of no platform: whoever comes with its code becomes the owner.
_ROW = {"platform": f"{PLATFORM} pairing", "subject": "salt"}
_SALT = select(Member.name).filter_by(**_ROW)


def pairing_code(keys: Sequence[str], token: str, salt: str) -> str:
    """The code: the same in every process and after every start, until it is used."""
    bot_id = token.partition(":")[0].encode()
    digest = hmac.new(keys[0].encode(), PURPOSE + bot_id + salt.encode(), hashlib.sha256).digest()
    return base64.b32encode(digest)[:CODE_LENGTH].decode()


async def salt_of(session: AsyncSession) -> str | None:
    """The salt; None when no code counts."""
    return await session.scalar(_SALT)


async def make_salt(session: AsyncSession) -> str:
    """The salt, a new one when there is none; of many processes one makes it."""
    row = upsert(session, table(Member)).values(**_ROW, role=Role.OWNER, name=secrets.token_hex())
    await session.execute(row.on_conflict_do_nothing())
    return str(await salt_of(session))


async def use_up(session: AsyncSession) -> None:
    """The code counts no more."""
    await session.execute(delete(Member).filter_by(**_ROW))
