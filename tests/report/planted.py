"""A study with cells of a few customers put in on purpose, each of another size so that one knows it when one sees it.

Nothing else in it is small. All customers are seen from their start, but for five.
"""

from __future__ import annotations

from random import Random

import polars as pl

LAST = 500
SEGMENT, LATE, VIP, LONELY, CRIMINAL, MOVED, THRICE, RULED = 3, 5, 4, 6, 7, 8, 3, 9
STUDY = """
[study]
name = "Planted"
horizon_days = 200

[interactions]
source = "log.csv"
touchpoint = "touchpoint"
agent = "agent"
owner = "owner"
level = "level"
respect = "respect"
expectations_scale = [1, 5]
log_from = 0
log_until = 500

[moments]
exclude = "touchpoint = 'closing'"

[retention]
source = "customers.csv"
segment = "segment"
cause = "cause"
defection = ["price", "service"]
cluster = "household"
observed_until = 500
"""


def planted(folder, customers=903):
    """Write the study; returns its file.

    Three customers are of segment ``tiny``; five began before the log; four met the touchpoint ``vip desk``; six spoke
    to the agent ``lonely``; seven moments were criminal; eight customers ``moved``; three had a third bad moment; nine
    moments are excluded by a rule.
    """
    random = Random(11)
    log, who = [], []
    for i in range(customers):
        start = random.randrange(150) if i >= LATE else -random.randrange(10, 60)
        leaves = random.random() < 0.55
        end = start + random.randrange(70, 400) if leaves else None
        end = end if end is not None and end < LAST else None
        cause = random.choice(("price", "service")) if end is not None else None
        segment = random.choice(("basic", "basic", "plus"))
        who.append([i, start, end, cause, segment, f"h{i // 2 if i < 300 else i}"])
        last, bad = min(end or LAST, LAST), 0
        for _ in range(random.randrange(1, 7)):
            level = random.choice(("basic", "expected", "desired", "surprising"))
            if level == "basic":
                bad += 1
                level = level if bad <= 2 else "expected"
            day = random.randrange(max(start, 0), last)
            place = random.choice(("app", "bill", "call"))
            owner = {"app": "web", "bill": "finance", "call": "care"}[place]
            log.append(
                [i, day, place, f"a{random.randrange(8)}", owner, level, random.choice((1, 4, 5))]
            )
    for row in who[100 : 100 + SEGMENT]:
        row[4] = "tiny"
    left = [row for row in who[LATE:] if row[2] is not None]
    for row in left[20 : 20 + MOVED]:
        row[3] = "moved"
    mine = {row[0]: [r for r in log if r[0] == row[0]] for row in who}
    for i in range(200, 200 + VIP):
        mine[i][0][2] = "vip desk"
    for i in range(220, 220 + LONELY):
        mine[i][0][3] = "lonely"
    bads = [r for r in log if r[5] == "basic"]
    for row in bads[:CRIMINAL]:
        row[5] = "criminal"
    for row in who[300 : 300 + THRICE]:
        first = max(row[1], 0)
        log += [[row[0], first + day, "bill", "a1", "finance", "basic", 1] for day in (2, 9, 16)]
    log += [
        [i, max(who[i][1], 0) + 1, "closing", "a1", "care", "expected", 4] for i in range(RULED)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    names = ["customer", "at", "touchpoint", "agent", "owner", "level", "respect"]
    pl.DataFrame(log, schema=names, orient="row").write_csv(folder / "log.csv")
    names = ["customer", "start", "end", "cause", "segment", "household"]
    pl.DataFrame(who, schema=names, orient="row", infer_schema_length=None).write_csv(
        folder / "customers.csv"
    )
    (folder / "study.toml").write_text(STUDY)
    return folder / "study.toml"
