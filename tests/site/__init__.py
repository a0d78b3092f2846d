"""A media site on loopback: everything a download can meet, without the internet."""
