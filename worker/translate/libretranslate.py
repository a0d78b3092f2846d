"""LibreTranslate: a server, one's own or a public one, that speaks the LibreTranslate HTTP API.

Its address is the operator's own setting, so it may be a private one.
"""

import asyncio
import json
import logging
import random
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from worker.translate.port import LanguagePairUnknown, Pairs, TranslatorUnavailable

log = logging.getLogger(__name__)

TIMEOUT = 120.0  # seconds for one request; a small machine takes a second for each sentence
TRIES = 4
PAUSE = 1.0  # seconds before the second try; twice as many before each later one
LONGEST_PAUSE = 30.0  # seconds; a server that asks for more counts as down
MAX_ANSWER = 4 * 1024 * 1024  # bytes
PASSING = (429, 500, 502, 503, 504)


class Refused(TranslatorUnavailable):
    """The server takes the request for wrong."""


class LibreTranslate:
    """The API's `/languages` and `/translate`, the latter with many texts at once."""

    name = "libretranslate"

    def __init__(self, url: str, api_key: str = "", *, timeout: float = TIMEOUT) -> None:
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._timeout = timeout
        self._most = 1_000_000  # texts in one request, as far as the server's refusals have told

    async def languages(self) -> Pairs:
        """What the server has models for."""
        answer = await self._ask("GET", "languages")
        try:
            return {str(each["code"]): {str(target) for target in each["targets"]} for each in answer}
        except (TypeError, KeyError) as error:
            raise TranslatorUnavailable("LibreTranslate: a list of languages that is none") from error

    async def translate(self, sentences: Sequence[str], source: str, target: str) -> list[str]:
        """In one request, or in as many as the server's own limits make necessary."""
        result: list[str] = []
        while len(result) < len(sentences):
            batch = sentences[len(result) : len(result) + self._most]
            try:
                result += await self._translate(batch, source, target)
            except Refused as error:
                if "limit" not in str(error) or len(batch) == 1:
                    raise
                self._most = len(batch) // 2
                log.info("LibreTranslate takes no %d texts at once; trying %d", len(batch), self._most)
        return result

    async def _translate(self, batch: Sequence[str], source: str, target: str) -> list[str]:
        body = {"q": list(batch), "source": source, "target": target, "format": "text"}
        if self._api_key:
            body["api_key"] = self._api_key
        try:
            answer = await self._ask("POST", "translate", body)
        except Refused as error:
            if "not supported" in str(error) or "not available" in str(error):
                raise LanguagePairUnknown(str(error)) from error
            raise
        texts = answer.get("translatedText") if isinstance(answer, dict) else None
        if (
            not isinstance(texts, list)
            or len(texts) != len(batch)
            or not all(isinstance(t, str) for t in texts)
        ):
            raise TranslatorUnavailable("LibreTranslate: an answer that is no translation")
        return texts

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One request, tried again while what is wrong with it may pass."""
        timeout = aiohttp.ClientTimeout(total=self._timeout, sock_connect=min(10, self._timeout))
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for number in range(1, TRIES + 1):
                request = session.request(method, f"{self._url}/{path}", json=body, allow_redirects=False)
                try:
                    async with request as response:
                        if response.status not in PASSING:
                            return await _answer(response)
                        trouble, wanted = f"status {response.status}", _wanted_pause(response)
                except (aiohttp.ClientError, OSError) as error:  # a timeout is an OSError
                    trouble, wanted = repr(error), 0.0
                log.info("LibreTranslate, try %d of %d: %s", number, TRIES, trouble)
                pause = PAUSE * 2 ** (number - 1) * random.uniform(0.5, 1)  # noqa: S311 - no secret
                if number == TRIES or wanted > LONGEST_PAUSE:
                    break
                await asyncio.sleep(max(pause, wanted))
        raise TranslatorUnavailable(f"LibreTranslate: {trouble}")


async def _answer(response: aiohttp.ClientResponse) -> Any:
    data = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        data += chunk
        if len(data) > MAX_ANSWER:
            raise TranslatorUnavailable("LibreTranslate: an answer that does not end")
    try:
        answer = json.loads(data)
    except ValueError as error:
        raise TranslatorUnavailable(f"LibreTranslate: status {response.status}, not JSON") from error
    if response.status == 200:
        return answer
    said = answer.get("error") if isinstance(answer, dict) else None
    raise Refused(f"LibreTranslate: status {response.status}, {str(said)[:200]}")


def _wanted_pause(response: aiohttp.ClientResponse) -> float:
    """The seconds of `Retry-After`; its other form, a date, counts as nothing asked for."""
    wanted = response.headers.get("Retry-After", "")
    return float(wanted) if wanted.isdecimal() else 0.0
