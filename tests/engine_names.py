"""The engines that a test is tried on, if it is tried on several.

All of them, or those that CX_ENGINES names: `make test` leaves DuckDB, which plans each small query for longer than it
runs, to `make test-all`. The tests of the engines themselves, of random lives and of dockets always try all.
"""

import os

EVERY = ("polars", "polars-lazy", "duckdb")
ENGINES = tuple(e for e in EVERY if e in os.environ.get("CX_ENGINES", " ".join(EVERY)).split())
