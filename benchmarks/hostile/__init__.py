"""Companies in which something other than moments drives customers away, and how often verdicts on them are wrong.

- `simulate`: customers lived through day by day, in NumPy; written as a study.
- `families`: what may happen to a company: one short definition each.
- `truths`: what is true of each claim in each family, from what was planted; made before any verdict was looked at.
- `large_runs`: the numbers that only a very large company gives.
- `shops`: companies without contracts.
- `run`: tries the claims, many times over, and counts the wrong verdicts. It alone imports cxresearch.
"""
