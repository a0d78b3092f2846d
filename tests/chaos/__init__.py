"""Chaos: requests go in while nemeses break things; then all is healed, and a checker counts.

plan.py            what is asked for, and when, from a seed
publisher_main.py  the process that takes requests in (the part of the bots)
worker_main.py     a worker: the real composition, with points at which it can be killed
kills.py           how a process dies at a named point, and what it leaves in writing
history.py         what the processes and the nemeses wrote down
chat.py            the chat platform: a strict server on loopback that keeps every message's history
cluster.py         servers and processes: start, kill, freeze, restart
nemeses.py         what goes wrong, on a seeded schedule
evidence.py        what is there at the end: rows, files, processes, messages
ending.py          heal, wait until it is quiet, stop, look, judge
checker.py         the verdict: a table, and every promise that was broken
"""
