"""`python -m cxresearch` is the command line."""

import sys

if not sys.flags.safe_path and sys.path[:1] and __name__ == "__main__":
    del sys.path[0]  # the working folder, where a study's files could stand in for modules

from cxresearch.cli import main

if __name__ == "__main__":
    main()
