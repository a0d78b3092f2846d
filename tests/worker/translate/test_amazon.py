"""Amazon Translate through boto3's real client; who answers is a stub of ours, see stub_amazon.py."""

from pathlib import Path

import pytest

from tests.worker.translate.stub_amazon import StubAmazon
from worker.translate.amazon import MAX_TEXT, AmazonTranslate
from worker.translate.port import LanguagePairUnknown, TranslatorUnavailable


async def test_texts_are_as_few_as_the_limit_allows_and_never_longer() -> None:
    stub = StubAmazon()
    sentences = ["渡轮中午出发。" * 30] * 20 + ["x" * 900] * 30  # 630 and 900 bytes
    translated = await AmazonTranslate(client=stub.client).translate(sentences, "en", "es")
    assert translated == [f"es: {sentence}" for sentence in sentences]
    sizes = [len(asked["Text"].encode()) for asked in stub.asked]
    assert max(sizes) <= MAX_TEXT
    assert len(sizes) <= sum(sizes) / MAX_TEXT * 1.2 + 1


async def test_lines_that_were_made_one_are_sent_alone() -> None:
    stub = StubAmazon()
    stub.merges_lines = True
    assert await AmazonTranslate(client=stub.client).translate(["a", "b"], "en", "es") == ["es: a", "es: b"]
    assert [asked["Text"] for asked in stub.asked] == ["a\nb", "a", "b"]


async def test_being_told_to_slow_down_passes() -> None:
    stub = StubAmazon()
    stub.errors = [(400, "TooManyRequestsException"), (500, "InternalServerException")]
    assert await AmazonTranslate(client=stub.client).translate(["a"], "en", "es") == ["es: a"]
    assert len(stub.asked) == 3


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("UnsupportedLanguagePairException", LanguagePairUnknown),
        ("AccessDeniedException", TranslatorUnavailable),
        ("TextSizeLimitExceededException", TranslatorUnavailable),
    ],
)
async def test_refusals(code: str, kind: type[Exception]) -> None:
    stub = StubAmazon()
    stub.errors = [(400, code)]
    with pytest.raises(kind, match=code):
        await AmazonTranslate(client=stub.client).translate(["a"], "en", "es")
    assert len(stub.asked) == 1


async def test_every_page_of_the_languages_is_read() -> None:
    pairs = await AmazonTranslate(client=StubAmazon().client).languages()
    assert set(pairs) == {"en", "es", "de", "zh", "zh-TW", "fr-CA"}
    assert pairs["en"] == set(pairs) - {"en"}


@pytest.mark.parametrize("region", ["", "eu-west-1"])
async def test_without_a_region_or_credentials_it_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, region: str
) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", region)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(TranslatorUnavailable, match="credentials" if region else "region"):
        await AmazonTranslate().translate(["a"], "en", "es")
