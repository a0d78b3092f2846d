"""Sizes and times in words. Pure."""

from datetime import UTC, datetime

UNITS = ("B", "kB", "MB", "GB", "TB")


def size_words(size: float) -> str:
    """A size in bytes for people: 1.5 MB."""
    for unit in UNITS:
        amount = f"{size:.0f}" if unit == "B" or size >= 99.95 else f"{size:.1f}"
        if float(amount) < 1000:
            break
        size /= 1000
    return f"{amount} {unit}"


def time_words(seconds: float) -> str:
    """A length in seconds as 1:20 or 1:02:03."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def utc_words(when: datetime) -> str:
    """A time where nobody's clock is known: 27 Jul 15:04 UTC."""
    when = when.astimezone(UTC)
    return f"{when.day} {when:%b %H:%M} UTC"
