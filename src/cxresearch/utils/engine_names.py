"""The names of the engines, where the command line can have them without importing any."""

ENGINES = ("polars", "polars-lazy", "duckdb", "spark")
