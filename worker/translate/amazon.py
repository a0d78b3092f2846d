"""Amazon Translate, for who runs Linkferry on AWS. It needs the rights translate:TranslateText and
translate:ListLanguages.

boto3 blocks, so its calls run in threads; it is loaded when the first text comes, because that takes a while.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from worker.translate.port import LanguagePairUnknown, Pairs, TranslatorUnavailable

MAX_TEXT = 10_000  # bytes of UTF-8 in one TranslateText
TIMEOUT = 30  # seconds one call may stand still; a cancelled call goes on in its thread for so long at most
TRIES = 4  # what boto3 does by itself when it is told to slow down, or the service fails

MAX_LANGUAGES = 500  # in one answer

T = TypeVar("T")


class AmazonTranslate:
    """Sentences as lines of as few texts as possible. `client` is boto3's, made on first use when None.

    Without a `region` it is the one of `AWS_REGION`, which ECS and Lambda set, or of boto3's own settings.
    """

    name = "amazon"

    def __init__(self, region: str = "", client: Any = None) -> None:
        self._region = region or os.environ.get("AWS_REGION") or None
        self._client = client

    async def languages(self) -> Pairs:
        """Amazon Translate translates from each of its languages to each other one."""
        codes = await self._call(self._list)
        return {code: codes - {code} for code in codes}

    async def translate(self, sentences: Sequence[str], source: str, target: str) -> list[str]:
        """Line breaks stay where they are; a text whose lines have become other ones is sent line by line."""
        result: list[str] = []
        for lines in _texts(sentences):
            translated = (await self._text("\n".join(lines), source, target)).split("\n")
            if len(translated) != len(lines):
                translated = [" ".join((await self._text(line, source, target)).split()) for line in lines]
            result += [line.strip() for line in translated]
        return result

    async def _text(self, text: str, source: str, target: str) -> str:
        answer = await self._call(
            lambda: self._client.translate_text(
                Text=text, SourceLanguageCode=source, TargetLanguageCode=target
            )
        )
        return str(answer["TranslatedText"])

    def _list(self) -> set[str]:
        codes: set[str] = set()
        token: dict[str, str] = {}
        while True:
            page = self._client.list_languages(MaxResults=MAX_LANGUAGES, **token)
            codes |= {str(language["LanguageCode"]) for language in page["Languages"]}
            if not page.get("NextToken"):
                return codes
            token = {"NextToken": page["NextToken"]}

    async def _call(self, ask: Callable[[], T]) -> T:
        return await asyncio.to_thread(self._ask, ask)

    def _ask(self, ask: Callable[[], T]) -> T:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if self._client is None:
                self._client = _new_client(self._region)
            return ask()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            unknown = code == "UnsupportedLanguagePairException"
            raise (LanguagePairUnknown if unknown else TranslatorUnavailable)(str(error)) from error
        except BotoCoreError as error:
            raise TranslatorUnavailable(f"Amazon Translate: {error}") from error


def _new_client(region: str | None) -> Any:
    """With the credentials that boto3 finds where it runs."""
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=5,
        read_timeout=TIMEOUT,
        retries={"total_max_attempts": TRIES, "mode": "standard"},
    )
    return boto3.client("translate", region_name=region, config=config)


def _texts(sentences: Sequence[str]) -> Iterator[list[str]]:
    """The sentences in lists that fit into one text each."""
    lines: list[str] = []
    size = 0
    for sentence in sentences:
        length = len(sentence.encode(errors="replace")) + 1
        if lines and size + length > MAX_TEXT:
            yield lines
            lines, size = [], 0
        lines.append(sentence)
        size += length
    if lines:
        yield lines
