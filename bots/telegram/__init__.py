"""Telegram: what people say there, who may, and what they are told. Status messages are the herald's.

reading.py    an update -> what was said, pressed or changed; spelling.py: hidden links, mentions; pure
access.py     who may use the bot; pairing.py: the code by which somebody becomes its owner
handlers.py   what happens then; owner.py and preferences.py: the commands that only Telegram has
replies.py    sentences to people, at the chat's pace
texts.py      those sentences; pure
updates.py    polling, webhook.py: pushed updates; reception.py: none is done with before it is stored
life.py       start and end
"""
