"""Telegram: what people say there, who may, and what they are told. Status messages are the herald's.

reading.py    an update -> what was said, pressed or changed; pure
access.py     who may use the bot; pairing.py: how somebody becomes its owner
handlers.py   what happens then; owner.py and preferences.py: the commands that only Telegram has
replies.py    sentences to people, at the chat's pace
texts.py      those sentences; pure
updates.py    polling: nothing is confirmed before it is stored; webhook.py: the same for pushed updates
"""
