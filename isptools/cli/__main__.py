"""`python -m isptools.cli` is `isptools`."""

from isptools.cli import main

main()
