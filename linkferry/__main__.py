"""`python -m linkferry`."""

from linkferry.cli import main

main()
