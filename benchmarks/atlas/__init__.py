"""The atlas: all recipes of data/recipes whose data are at hand, tried, and one page of what came out.

recipes    a recipe: its study file, what data/recipes/about says of the set, and which files it needs
results    what of a docket is kept: as a page may tell it, in benchmarks/atlas/results
page       the kept results as docs/atlas.md
run        the command: python -m benchmarks.atlas.run --data FOLDER
contacts   tables for check.R, which computes two cells again, without the package
"""
