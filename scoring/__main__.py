"""``python -m scoring``: the command line."""

from scoring.cli import main

if __name__ == "__main__":
    main()
