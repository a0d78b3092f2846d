"""Run every benchmark: `make bench`."""

import subprocess
import sys

NAMES = ("journey", "throughput", "serving", "s3", "captions", "search", "pacing", "slack_ack", "speech")

if __name__ == "__main__":
    codes = []
    for name in NAMES:
        print(f"== {name}", flush=True)
        codes.append(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode)
    sys.exit(max(map(abs, codes)))  # a signal that ended one is a negative code
