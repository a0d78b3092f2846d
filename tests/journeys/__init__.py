"""Whole journeys of a link: the real child, the media site, SQLite, local storage."""
