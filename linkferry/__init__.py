"""The composition root: the only place that sees the bots and the worker together."""
