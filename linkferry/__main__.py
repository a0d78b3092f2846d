"""`linkferry` and `python -m linkferry`."""

import sys


def main() -> None:
    """Containers ask `linkferry health` every few seconds: that does without the whole command line."""
    if sys.argv[1:] in (["health"], ["health", "--ready"]):
        from linkferry.alive import answer

        answer(ready="--ready" in sys.argv)
    from linkferry.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
