"""What the watch page shows: the lines of a transcript, and everything around them. Pure."""
