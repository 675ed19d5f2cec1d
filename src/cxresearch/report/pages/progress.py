"""How a run learns what the notebook that it executes is at."""

from __future__ import annotations

PROGRESS = (
    "application/vnd.cxresearch.progress.v1+json"  # the kind of output that a run's log takes
)
