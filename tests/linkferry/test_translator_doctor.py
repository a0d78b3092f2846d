"""What the doctor says about translation, with real translators where there are some."""

from pathlib import Path

import pytest

from linkferry import doctor, translator_doctor
from shared.settings import Settings
from tests.services import free_port
from tests.worker.translate.libre import libre_server
from worker.translate import choose


def settings(**given: str) -> Settings:
    """Settings that name a translator."""
    return Settings(_env_file=None, **given)  # type: ignore[arg-type]


async def test_a_libretranslate_server_that_answers() -> None:
    async with libre_server() as server:
        found = await translator_doctor.look(settings(libretranslate_url=server.url))
    assert (found.mark, found.found) == ("ok", "LibreTranslate, from 5 languages")


async def test_a_libretranslate_server_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translator_doctor, "PATIENCE", 0.5)
    url = f"http://127.0.0.1:{free_port()}/secret"
    found = await translator_doctor.look(settings(libretranslate_url=url))
    assert (found.mark, found.found) == ("note", "LibreTranslate does not answer.")
    assert "LINKFERRY_LIBRETRANSLATE_URL" in found.advice and "secret" not in found.advice


async def test_apertium_is_named_with_what_it_knows() -> None:
    found = await translator_doctor.look(settings(translator="apertium"))
    assert found.mark == "ok" and found.found.startswith("Apertium, from ")


async def test_apertium_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = await translator_doctor.look(settings(translator="apertium"))
    assert found.mark == "note" and "apt install apertium" in found.advice
    assert (await translator_doctor.look(settings())).found.startswith("none;")


async def test_amazon_without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    choose._amazon.cache_clear()
    found = await translator_doctor.look(settings(translator="amazon"))
    choose._amazon.cache_clear()
    assert found.mark == "note" and found.advice.startswith("It needs credentials")


def test_the_doctor_looks_at_it() -> None:
    assert translator_doctor.look in doctor.CHECKS
