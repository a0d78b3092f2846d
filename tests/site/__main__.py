"""`python -m tests.site [--port N]`: serve the media site until Ctrl-C."""

import argparse
import contextlib
import signal

from tests.site.server import MediaSite


def main() -> None:
    """Print the base address, then wait for SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.site", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: any free port")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with MediaSite(parser.parse_args().port) as site:
        print(site.base, flush=True)  # noqa: T201
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
