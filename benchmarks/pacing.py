"""How many edits busy chats get, and how long results take, within what the platforms allow.

    .venv/bin/python -m benchmarks.pacing

Virtual time: the real herald and pace against a platform of our own that counts as strictly as Telegram and
Slack say they do, and answers 429 to each call too many (see tests/shared/chat/simulation.py). The aims: no
429, and every result within 10 s.
"""

import statistics
import sys

from rich.console import Console
from rich.table import Table

from tests.shared.chat.simulation import SCENARIOS, simulate

COLUMNS = ("", "posts", "progress", "results", "429s", "most in 1 s", "in 60 s", "result after", "at most")


AIM = 10.0  # seconds


def main() -> int:
    """Simulate each scenario, and print what came of it; 0 when the aims are met."""
    table, missed = Table(), 0
    for column in COLUMNS:
        table.add_column(column, justify="right" if column else "left")
    for name, scenario in SCENARIOS.items():
        outcome = simulate(scenario)
        late = outcome.late
        counts = [len(outcome.platform.shown), outcome.progress, len(late), len(outcome.platform.refused)]
        missed += bool(outcome.platform.refused) or len(late) < scenario.jobs or late[-1] > AIM
        counts += [outcome.most(1), outcome.most(60)]
        times = [f"{statistics.median(late):.1f} s", f"{late[-1]:.1f} s"]
        table.add_row(f"{name}, {scenario.over / 60:.0f} min", *map(str, counts), *times)
    Console(width=120).print(table)
    return min(missed, 1)


if __name__ == "__main__":
    sys.exit(main())
