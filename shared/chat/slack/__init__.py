"""Slack: `render` says what a message reads, `client` brings it there, `sharing` posts transcripts."""
