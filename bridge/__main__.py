"""`python -m bridge` is `paybridge`."""

from bridge.cli import main

main()
