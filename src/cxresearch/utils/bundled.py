"""What ships with the package: notebooks and the sample study, in a wheel as in a checkout."""

from __future__ import annotations

import shutil
from pathlib import Path

from cxresearch.errors import ParameterError, SourceError, nearest

STUDY_SCHEMA = "study.schema.json"  # by which editors complete and check study files
_PACKAGE = Path(__file__).resolve().parents[1]


def bundled(name: str) -> Path:
    """The folder ``notebooks`` or ``data``.

    A wheel holds them inside the package; an editable install falls back to the repository.

    Raises:
        SourceError: neither is there.
    """
    for place in (_PACKAGE / "_bundled" / name, _PACKAGE.parents[1] / name):
        if place.is_dir():
            return place
    raise SourceError(f"the package's {name} are missing: install cxresearch again")


def notebook_path(name: str) -> Path:
    """The notebook of that name.

    Raises:
        ParameterError: there is none; the nearest name is suggested.
    """
    known = {p.stem: p for p in bundled("notebooks").glob("*.ipynb")}
    if name not in known:
        raise ParameterError(
            f"no notebook {name!r}{nearest(name, known) or '; there are: ' + ', '.join(sorted(known))}"
        )
    return known[name]


def copy_sample(folder: Path, *, force: bool = False) -> tuple[Path, ...]:
    """Copy the sample study to a folder, made if need be.

    Args:
        folder: where to.
        force: overwrite files that are there.

    Returns:
        The files written, the study file first.

    Raises:
        SourceError: a file is in the way, or the folder cannot be written.
    """
    source = bundled("data") / "sample"
    names = ("study.toml", "interactions.parquet", "customers.csv", STUDY_SCHEMA)
    try:
        taken = [n for n in names if (folder / n).exists()]
        if taken and not force:
            raise SourceError(f"{folder / taken[0]} is there already; --force overwrites it")
        folder.mkdir(parents=True, exist_ok=True)
        return tuple(Path(shutil.copyfile(source / n, folder / n)) for n in names)
    except OSError as e:
        raise SourceError(f"cannot write to {folder}: {e.strerror}") from None
