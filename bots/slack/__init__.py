"""Slack: what people say and press there, and what they are told. Status messages are the herald's.

reading.py    a payload -> what somebody did, deeds.py; markup.py: their words; pure
handlers.py   what happens then; forms.py: modals that were filled in
replies.py    sentences to people, at the workspace's pace
texts.py      those sentences; views.py: modals and the Home tab; all pure
outside.py    results for channels that the app is not in
app.py        which payload goes to which handler; nothing is acknowledged before it is stored
socket.py     Socket Mode, http.py: HTTP mode
installing.py how a workspace installs the app; workspaces.py: tokens of many of them
manifest.py   what Slack has to know of all this
life.py       start and end
"""
