"""What people say and what they are told. No worker runs: whatever is asked for stays queued."""

from shared.models import JobState
from tests.bots.slack.conftest import Chatting

LINK = "https://example.com/watch?v=abc123"


async def test_a_command_is_queued_in_one_message_which_becomes_the_result(chat: Chatting) -> None:
    delivery = await chat.ann.runs(f"/get {LINK} 720p", chat.channel)
    assert delivery.is_acked and delivery.answer is None
    status = await chat.channel.shows("Queued")
    assert status.labels == ["Cancel"]
    await chat.finish("A <!channel> & <https://evil.example|click> film")
    film = await chat.channel.shows("A <!channel> & <https://evil.example|click> film")
    assert film.ts == status.ts and len(chat.channel.messages) == 1
    assert not chat.slack.pings(film).anybody
    assert [job.link for job in await chat.jobs()] == [LINK]


async def test_a_button_cancels(chat: Chatting) -> None:
    await chat.ann.runs(f"/get {LINK}", chat.channel)
    status = await chat.channel.shows("Queued")
    assert (await chat.ann.presses(status, "Cancel")).is_acked
    await chat.channel.shows("Cancelled.")
    assert [job.state for job in await chat.jobs()] == [JobState.CANCELLED]
