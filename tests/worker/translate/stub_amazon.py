"""A stub of Amazon Translate, ours and not Amazon's: boto3's real client, whose requests end in this process.

So what botocore knows of the service is checked (names, types, errors, retries, signing), and nothing that
only Amazon knows. A translation is each line behind its target's code.
"""

import io
import json
from typing import Any

import boto3
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config

from tests.worker.translate.libre import said

CODES = ("en", "es", "de", "zh", "zh-TW", "fr-CA")


class Body(io.BytesIO):
    """An answer as botocore reads it."""

    def stream(self, **_: Any) -> Any:
        """All of it at once."""
        yield self.read()


class StubAmazon:
    """`errors` answer the next translations, one each; `merges_lines` makes one line of each text."""

    def __init__(self, client: Any = None) -> None:
        self.client = client or boto3.client(
            "translate",
            region_name="eu-west-1",
            aws_access_key_id="stub",
            aws_secret_access_key="stub",
            config=Config(retries={"total_max_attempts": 3, "mode": "standard"}),
        )
        self.errors: list[tuple[int, str]] = []
        self.merges_lines = False
        self.asked: list[dict[str, Any]] = []
        self.client.meta.events.register("before-send.translate", self._answer)

    def _answer(self, request: AWSRequest, **_: Any) -> AWSResponse:
        action = request.headers["X-Amz-Target"].decode().rpartition(".")[2]
        status, answer = getattr(self, action)(json.loads(request.body))
        body = Body(json.dumps(answer).encode())
        return AWSResponse(request.url, status, {"Content-Type": "application/x-amz-json-1.1"}, body)

    def ListLanguages(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Two pages."""
        start = int(asked.get("NextToken", 0))
        page = CODES[start : start + 3]
        more = {"NextToken": str(start + 3)} if start + 3 < len(CODES) else {}
        return 200, {"Languages": [{"LanguageName": c, "LanguageCode": c} for c in page], **more}

    def TranslateText(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """As far as the service's description goes."""
        self.asked.append(asked)
        if self.errors:
            status, code = self.errors.pop(0)
            return status, {"__type": code, "message": "as ordered"}
        text, target = asked["Text"], asked["TargetLanguageCode"]
        if not 1 <= len(text.encode()) <= 10_000:
            return 400, {"__type": "TextSizeLimitExceededException", "message": "too long"}
        if not {asked["SourceLanguageCode"], target} <= set(CODES):
            return 400, {"__type": "UnsupportedLanguagePairException", "message": "unknown"}
        lines = [said(line, target) for line in text.split("\n")]
        translated = (" " if self.merges_lines else "\n").join(lines)
        codes = {"SourceLanguageCode": asked["SourceLanguageCode"], "TargetLanguageCode": target}
        return 200, {"TranslatedText": translated, **codes}
