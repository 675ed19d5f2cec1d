"""Makes the sample study's two tables anew: python data/sample/make.py."""

from pathlib import Path

from cxresearch.worlds import World, simulate

HERE = Path(__file__).parent

if __name__ == "__main__":
    world = World(
        base_hazard=0.0007, hr_bad=(1.0, 1.4, 1.9, 2.6), busy_stay=-0.4, contact_rate=1 / 20
    )
    made = simulate(world, 4_000, seed=2026)
    made.interactions.write_parquet(
        HERE / "interactions.parquet", compression="zstd", compression_level=19
    )
    made.customers.write_csv(HERE / "customers.csv")
