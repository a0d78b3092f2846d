"""`linkferry` and `python -m linkferry`."""

import sys


def main() -> None:
    """Containers ask `linkferry health` every few seconds: that does without the whole command line."""
    if sys.argv[1:] in (["health"], ["health", "--ready"]):
        from linkferry.alive import answer

        answer(ready="--ready" in sys.argv)
    try:
        from linkferry.cli import main as command_line

        command_line()
    except KeyboardInterrupt:  # so early that there is no command line yet
        sys.stderr.write("Cancelled.\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
