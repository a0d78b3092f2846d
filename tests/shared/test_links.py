"""Signed links: what they carry, who can read them, and when they stop."""

import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigError
from shared.keys import load_keys
from shared.links import (
    MAX_TTL,
    LinkClaim,
    LinkExpired,
    LinkInvalid,
    Links,
    WatchClaim,
    redact_tokens,
)
from shared.settings import Settings

NOW = 1_800_000_000
OLD, NEW = "old-key-0123456789", "new-key-0123456789"
ARTIFACT = UUID("0192f6e2-7c53-7d3e-9c7a-2f9b6f0c1d2e")
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Clock:
    """A clock that tests turn by hand."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def token_of(url: str) -> str:
    return urlsplit(url).path.split("/")[2]


def make_token(links: Links, ttl: int = 3600) -> str:
    return token_of(links.url("http://host", ARTIFACT, "film.mp4", ttl))


def test_a_link_carries_artifact_expiry_and_disposition() -> None:
    links = Links([NEW], Clock())
    for disposition in ("inline", "attachment"):
        url = links.url("https://ferry.example/", ARTIFACT, "film.mp4", 60, disposition)
        assert url.startswith("https://ferry.example/f/")
        assert url.endswith("/film.mp4")
        assert links.read(token_of(url)) == LinkClaim(ARTIFACT, NOW + 60, disposition)


def test_tokens_are_compact() -> None:
    assert len(make_token(Links([NEW]))) == 72


@given(artifact=st.uuids(), ttl=st.integers(1, MAX_TTL), name=st.text(max_size=300))
def test_any_artifact_and_name_survives_the_round_trip(artifact: UUID, ttl: int, name: str) -> None:
    links = Links([NEW], Clock())
    url = links.url("http://host:8080", artifact, name, ttl)
    _, f, token, file_name = urlsplit(url).path.split("/")
    assert url.isascii()
    assert f == "f"
    assert unquote(file_name) == name
    assert links.read(token) == LinkClaim(artifact, NOW + ttl, "attachment")


def test_a_link_ends_at_its_second_and_not_before() -> None:
    clock = Clock()
    links = Links([NEW], clock)
    token = make_token(links, 100)
    clock.now = NOW + 99.9
    links.read(token)
    clock.now = NOW + 100
    with pytest.raises(LinkExpired):
        links.read(token)


@pytest.mark.parametrize("ttl", [0, -1, MAX_TTL + 1])
def test_no_link_lives_longer_than_seven_days_or_not_at_all(ttl: int) -> None:
    with pytest.raises(ValueError, match="seconds"):
        Links([NEW]).url("http://host", ARTIFACT, "film.mp4", ttl)


@given(position=st.integers(0, 71), char=st.sampled_from(BASE64URL + ".=%+/ é\n"))
def test_one_changed_character_makes_it_invalid(position: int, char: str) -> None:
    links = Links([NEW], Clock())
    token = make_token(links)
    changed = token[:position] + char + token[position + 1 :]
    if changed == token:
        return
    with pytest.raises(LinkInvalid):
        links.read(changed)


@given(st.text(max_size=200))
def test_text_that_is_no_token_is_invalid(text: str) -> None:
    with pytest.raises(LinkInvalid):
        Links([NEW]).read(text)


@pytest.mark.parametrize("change", [lambda t: t + "\n", lambda t: t[:-1], lambda t: t + "A", lambda t: ""])
def test_longer_and_shorter_tokens_are_invalid(change: object) -> None:
    links = Links([NEW])
    with pytest.raises(LinkInvalid):
        links.read(change(make_token(links)))  # type: ignore[operator]


def test_an_expired_forgery_is_invalid_and_not_expired() -> None:
    clock = Clock()
    forged = make_token(Links(["somebody-elses-key-000"], clock), 10)
    clock.now += 20
    with pytest.raises(LinkInvalid):
        Links([NEW], clock).read(forged)


def test_rotation_first_key_signs_and_all_verify() -> None:
    before, during, after = Links([OLD]), Links([NEW, OLD]), Links([NEW])
    made_before, made_during = make_token(before), make_token(during)
    assert during.read(made_before).artifact_id == ARTIFACT
    assert during.read(made_during).artifact_id == ARTIFACT
    assert after.read(made_during).artifact_id == ARTIFACT
    for links, token in ((after, made_before), (before, made_during)):
        with pytest.raises(LinkInvalid):
            links.read(token)


@pytest.mark.parametrize("keys", [[], [""], [NEW, ""]])
def test_links_need_keys(keys: list[str]) -> None:
    with pytest.raises(ConfigError):
        Links(keys)


def test_tokens_are_redacted_wherever_they_stand() -> None:
    links = Links([NEW])
    url = links.url("https://ferry.example", ARTIFACT, "film.mp4", 60)
    token = token_of(url)
    text = f'"GET /f/{token}/film.mp4 HTTP/1.1" 200, sent <a href="{url}">; bare {token}; /f/{token[:-9]}?x=1'
    redacted = redact_tokens(text)
    assert token[:20] not in redacted
    assert token[-8:] not in redacted
    assert "/f/[token]/film.mp4 HTTP/1.1" in redacted
    assert redact_tokens("nothing to see in /files/a or 1.2") == "nothing to see in /files/a or 1.2"


def test_what_signs_a_link_to_a_bucket_is_redacted_too() -> None:
    presigned = "https://b.s3.example/k?X-Amz-Security-Token=T0ken%2F1&X-Amz-Signature=ab12&X-Amz-Expires=60"
    assert redact_tokens(presigned) == (
        "https://b.s3.example/k?X-Amz-Security-Token=[token]&X-Amz-Signature=[token]&X-Amz-Expires=60"
    )
    assert (
        redact_tokens("/k?Expires=1&Signature=a~b_&Key-Pair-Id=K")
        == "/k?Expires=1&Signature=[token]&Key-Pair-Id=K"
    )


def test_a_watch_link_carries_its_job_and_ends_like_every_link() -> None:
    clock = Clock()
    links = Links([NEW], clock)
    url = links.watch_url("https://ferry.example/", ARTIFACT, 60)
    token = token_of(url)
    assert url == f"https://ferry.example/w/{token}" and len(token) == 72
    assert links.read_watch(token) == WatchClaim(ARTIFACT, NOW + 60)
    assert token[:20] not in redact_tokens(f'"GET /w/{token}?language=de HTTP/1.1" and /w/{token[:-9]}/x')
    clock.now = NOW + 60
    with pytest.raises(LinkExpired):
        links.read_watch(token)
    with pytest.raises(ValueError, match="seconds"):
        links.watch_url("http://host", ARTIFACT, MAX_TTL + 1)


def test_a_link_to_a_file_opens_no_page_and_the_other_way_round() -> None:
    links = Links([NEW], Clock())
    file, page = make_token(links), token_of(links.watch_url("http://host", ARTIFACT, 3600))
    with pytest.raises(LinkInvalid):
        links.read_watch(file)
    with pytest.raises(LinkInvalid):
        links.read(page)


def settings(folder: Path, **values: object) -> Settings:
    return Settings(data_dir=folder / "data", _env_file=None, **values)  # type: ignore[arg-type]


def test_keys_are_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    first = load_keys(settings(tmp_path))
    assert load_keys(settings(tmp_path)) == first
    assert len(first) == 1
    assert len(first[0]) >= 43
    path = tmp_path / "data" / "secret_keys"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret_keys"]


def test_starting_at_once_gives_everybody_the_same_key(tmp_path: Path) -> None:
    together = threading.Barrier(8)
    found: list[list[str]] = []

    def start() -> None:
        together.wait()
        found.append(load_keys(settings(tmp_path)))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(keys == found[0] for keys in found)


def test_keys_from_the_settings_come_first_and_touch_no_file(tmp_path: Path) -> None:
    assert load_keys(settings(tmp_path, secret_keys=f"{NEW}, {OLD}")) == [NEW, OLD]
    assert not (tmp_path / "data").exists()


def test_a_key_file_may_hold_several_lines(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret_keys").write_text(f"{NEW}\n\n{OLD}\n")
    assert load_keys(settings(tmp_path)) == [NEW, OLD]


@pytest.mark.parametrize("content", ["", "\n", "short\n", "schlüssel-schlüssel\n"])
def test_a_bad_key_file_is_named_in_the_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret_keys").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="secret_keys"):
        load_keys(settings(tmp_path))


def test_short_keys_in_the_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="LINKFERRY_SECRET_KEYS"):
        load_keys(settings(tmp_path, secret_keys="short"))


def test_links_of_two_artifacts_differ() -> None:
    links = Links([NEW], Clock())
    urls = {links.url("http://h", uuid4(), "a", 60) for _ in range(10)}
    assert len(urls) == 10
