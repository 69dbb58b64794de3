"""`python -m opsledger` is the command line."""

from opsledger.cli import main

if __name__ == "__main__":
    main()
