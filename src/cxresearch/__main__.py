"""`python -m cxresearch` is the command line."""

from cxresearch.cli import main

if __name__ == "__main__":
    main()
