"""Telegram, as far as it cannot run here: a strict Bot API server of our own. Start at double.py."""
