"""Moments in addresses of the watch page, which reads them in `moment.js`: `#t=83`, `#t=83.25`. Pure."""


def exact(seconds: float) -> str:
    """A moment as `#t=` says it: 83.25."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def at_moment(url: str, seconds: float) -> str:
    """The address at which the page starts so many seconds in.

    Not at the whole second, in which another line may still be spoken: the page would show that one.
    """
    return f"{url}#t={exact(seconds)}"
