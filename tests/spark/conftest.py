"""One session for all tests of the engine: two threads, and settings that suit tables of a few rows."""

from collections.abc import Callable, Iterator
from typing import Any

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


def remember(view: Any, keeps: Callable[[object], bool]) -> None:
    """Let a view of Java ask for each name once: a class that is not there is sought in three hundred archives."""
    ask, known = view.__getattr__, {}

    def remembered(self: Any, name: str) -> object:
        key = (vars(self).get("_fqn"), name)
        if key not in known:
            answer = ask(self, name)
            if not keeps(answer):
                return answer
            known[key] = answer
        return known[key]

    view.__getattr__ = remembered


@pytest.fixture(scope="session")
def session(tmp_path_factory) -> Iterator[object]:
    """The caller's session."""
    from py4j.java_gateway import JavaClass, JavaMember, JVMView
    from pyspark.sql import SparkSession

    remember(JVMView, lambda answer: isinstance(answer, JavaClass))
    remember(JavaClass, lambda answer: isinstance(answer, JavaMember))

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
