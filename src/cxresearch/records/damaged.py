"""Whether a Parquet file can be decoded to its end, found out before an engine tries."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_ROWS = 65_536  # decoded at a time
_FOOTER = 2**30  # bytes that a text of a footer may have
_DECODED: set[tuple[str, int, int]] = set()  # files as they were: name, time of change, size


def check_decodes(file: Path) -> None:
    """Decode a Parquet file once in a process and throw away what it holds.

    A flipped byte can turn the number of values of a page into one that no memory holds. Polars then ends the whole
    process, a notebook's kernel among them, where Arrow raises. All columns are decoded, which of a narrow log takes
    less than a tenth of an audit, and of a wide one up to a third. The file is not mapped into memory: one that shrinks
    meanwhile would end the process as well.

    Args:
        file: a Parquet file.

    Raises:
        OSError: it may not be read.
        pyarrow.ArrowInvalid: it is damaged, or no Parquet file.
    """
    now = file.stat()
    stamp = (str(file.absolute()), now.st_mtime_ns, now.st_size)
    if stamp in _DECODED:
        return
    try:
        with pq.ParquetFile(
            file,
            memory_map=False,
            pre_buffer=False,
            buffer_size=2**20,
            thrift_string_size_limit=_FOOTER,
            thrift_container_size_limit=_FOOTER,
        ) as whole:
            rows = sum(batch.num_rows for batch in whole.iter_batches(_ROWS))
            if whole.metadata.num_columns and rows != whole.metadata.num_rows:
                raise pa.ArrowInvalid(f"{rows:,} rows of {whole.metadata.num_rows:,}")
    except pa.ArrowNotImplementedError:
        pass  # a type that Arrow does not know tells nothing of damage
    except (pa.ArrowException, OSError) as e:
        if isinstance(e, OSError) and e.errno is not None:
            raise
        raise pa.ArrowInvalid(f"parquet: file out of specification: {e}") from None
    _DECODED.add(stamp)
