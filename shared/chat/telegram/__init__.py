"""Telegram: `render` says what a message reads, `client` brings it there, `bot` opens the line."""

PLATFORM = "telegram"  # as requests, members and settings name it
