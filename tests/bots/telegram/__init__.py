"""Conversations with the bot, through the double of Telegram in tests/telegram."""
