"""The engines that a test is tried on, if it is tried on several.

All of them, or those that CX_ENGINES names. `make test` tries one, since most faults show on any; `make test-all` tries
all. The tests of the engines themselves, of random lives and of dockets always try more than one.
"""

import os

EVERY = ("polars", "polars-lazy", "duckdb")
ENGINES = tuple(e for e in EVERY if e in os.environ.get("CX_ENGINES", " ".join(EVERY)).split())
