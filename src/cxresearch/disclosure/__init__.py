"""Which counts may be shown: those that are too small, and the others that would give them away.

::

    counts  one list of counts, and numbers made of them    tables  several counts of which sums are known

Pages, charts with their tooltips, and tables of results in JupyterLab ask here; dockets, trials and audits show their
analyst exact numbers until `publishable` makes them ready for a page. No rule here has a limit of its own: it is
`min_cell` of the study, which tables and results carry along.

In `counts`:

- `min_cell_of`: the limit of what is shown: as somebody asks for, else the strictest of the results;
- `hide`: a list with a known total, None in place of small counts;
- `merge_classes`: counts by number, neighbours merged until each is large enough;
- `round_count`: a count to the nearest multiple of the smallest one shown;
- `round_count`, `part_of`, `round_estimate`: counts, shares made of counts, and estimated shares as a page shows them:
  rounded, so that no difference of two gives a small count away;
- `count_text`, `about`: a rounded count in words, `rounding_note` what a reader needs to know of it;
- `readable_positions`: where a curve that only grows may be read;
- `share_step`, `round_share`: to what shares of so many customers are rounded, and a share rounded to that;
- `rests_on_enough`: whether a number with its interval rests on enough customers.

In `tables`:

- `sums_to_hide`: which sums of cells, the general rule that the others use;
- `cells_to_hide`: which cells of a two-way table with known totals;
- `hide_cells`: that table, None in place of those cells;
- `levels_to_hide`: which levels of service, where the grades of all moments are known.
"""
