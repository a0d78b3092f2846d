"""Why the test extractor refuses a video: the sentences YouTube's extractor raises, by the id of the link.

`kind` says how the extractor raises it: plain, login (adds the hint about cookies), geo or drm.
"""

from typing import NamedTuple


class Refusal(NamedTuple):
    """How and in which words a video is refused."""

    kind: str
    reason: str = ""


REFUSALS: dict[str, Refusal] = {
    "age": Refusal("login", "Sign in to confirm your age. This video may be inappropriate for some users"),
    "bot": Refusal("login", "Sign in to confirm you’re not a bot"),
    "bot-ascii": Refusal("login", "Sign in to confirm you're not a bot"),
    "captcha": Refusal(
        "plain", "Video unavailable. YouTube is requiring a captcha challenge before playback"
    ),
    "drm": Refusal("drm"),
    "geo": Refusal("geo", "The uploader has not made this video available in your country"),
    "limited": Refusal(
        "plain",
        "This content isn't available, try again later. The current session has been rate-limited by YouTube "
        "for up to an hour. It is recommended to use `-t sleep` to add a delay between video requests to "
        "avoid exceeding the rate limit. For more information, refer to  "
        "https://github.com/yt-dlp/yt-dlp/wiki/Extractors#this-content-isnt-available-try-again-later",
    ),
    "login": Refusal("login", "Login details are needed to download this content"),
    "members": Refusal(
        "plain",
        "This video is available to this channel's members on level: Crew (or any higher level). "
        "Join this channel to get access to members-only content and other exclusive perks.",
    ),
    "noformats": Refusal("plain", "This video is not available"),
    "premiere": Refusal("plain", "Premieres in 2 hours"),
    "private": Refusal("login", "Private video. Sign in if you've been granted access to this video"),
    "processing": Refusal("plain", "We're processing this video. Check back later."),
    "removed": Refusal("plain", "Video unavailable. This video has been removed by the uploader"),
    "terminated": Refusal(
        "plain",
        "Video unavailable. This video is no longer available because the YouTube account associated "
        "with this video has been terminated.",
    ),
    "upcoming": Refusal("plain", "This live event will begin in 2 hours."),
}
