"""`python -m realdeg`."""

from realdeg.cli.main import main

if __name__ == "__main__":
    main()
