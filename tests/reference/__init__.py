"""The independent implementation: what the numbers mean, in plain loops, without the package.

Nothing here imports `cxresearch`; `test_independence.py` holds it to that.

- `oracle`: from the raw rows to risk tables, incidence and Cox fits, customer by customer, a day at a time.
- `histories`: what a customer had lived through on a day, for every history that is registered.
- `grids`: the same for a whole company, as a cell for every customer and day of tenure.
- `estimators`: fits, incidence, shares and comparisons on such grids.
- `claims`: every claim of the catalogue, written out once more.
"""
