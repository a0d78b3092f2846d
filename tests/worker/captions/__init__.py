"""Captions, from a site's bytes to the transcripts a person reads."""
