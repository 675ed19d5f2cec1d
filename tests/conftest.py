"""How many random studies to try: 25 by default, more where CX_EXAMPLES says so; new ones each time with CX_RANDOM."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "studies",
    max_examples=int(os.environ.get("CX_EXAMPLES", "25")),
    deadline=None,
    derandomize="CX_RANDOM" not in os.environ,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("studies")
