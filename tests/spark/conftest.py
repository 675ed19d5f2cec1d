"""One session for all tests of the engine: two threads, and settings that suit tables of a few rows."""

from collections.abc import Iterator

import pytest

SMALL = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "2",
    # where in Python each column was made is asked of Python and told to Java otherwise, thousands of times
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    # a plan of a few rows is not worth planning again after each step; test_spark tries it
    "spark.sql.adaptive.enabled": "false",
    # compiling takes longer than running
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    # an engine must not mind how the caller's session is set up
    "spark.sql.session.timeZone": "Pacific/Kiritimati",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.caseSensitive": "false",
}


@pytest.fixture(scope="session")
def session(tmp_path_factory) -> Iterator[object]:
    """The caller's session."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("tests")
    for name, value in SMALL.items():
        builder = builder.config(name, value)
    made = builder.config(
        "spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse"))
    ).getOrCreate()
    made.sparkContext.setLogLevel("OFF")
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def _active(session) -> None:
    """Every test finds it."""
