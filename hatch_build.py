"""The build of the wheel adds notebooks, data and a bill of materials: CycloneDX, in the folder that PEP 770 names."""

from __future__ import annotations

import csv
import json
import re
import uuid
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def normal(name: str) -> str:
    """A package's name as addresses write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(lock: Path) -> dict[str, str]:
    """Packages of a lock file with their versions."""
    found = (_PIN.match(line) for line in lock.read_text(encoding="utf-8").splitlines())
    return {normal(m[1]): m[2] for m in found if m}


def listed_licences(root: Path) -> dict[str, str]:
    """Packages with their licences, as `licences.csv` has them."""
    with (root / "licences.csv").open(encoding="utf-8", newline="") as rows:
        return {normal(row["package"]): row["licence"] for row in csv.DictReader(rows)}


def bundled_files(root: Path) -> dict[str, str]:
    """What ships beside the modules and where to; nothing hidden, such as what was kept of a study that lies there."""
    files = (p for name in ("data", "notebooks") for p in sorted((root / name).rglob("*")))
    places = {p: p.relative_to(root) for p in files if p.is_file()}
    return {
        str(p): f"cxresearch/_bundled/{place.as_posix()}"
        for p, place in places.items()
        if not any(part.startswith((".", "__")) for part in place.parts)
    }


def bill_of_materials(root: Path, project: dict[str, Any], version: str) -> dict[str, Any]:
    """The project, what it needs, and the versions that it is tested with, as CycloneDX 1.6.

    Args:
        root: of the repository, with `requirements.lock` and `licences.csv`.
        project: the section of `pyproject.toml`.
        version: of the project.
    """
    versions, licences = pinned(root / "requirements.lock"), listed_licences(root)
    needed = {normal(_NAME.match(d)[0]) for d in project["dependencies"]}  # type: ignore[index]
    me = f"pkg:pypi/{project['name']}@{version}"
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{of}",
            "name": name,
            "version": of,
            "scope": "required" if name in needed else "optional",
            "licenses": [{"expression": licences[name]}],
            "purl": f"pkg:pypi/{name}@{of}",
        }
        for name, of in sorted(versions.items())
    ]
    own = {
        "type": "library",
        "bom-ref": me,
        "name": project["name"],
        "version": version,
        "licenses": [{"expression": project["license"]}],
        "purl": me,
    }
    body = {
        "metadata": {"component": own},
        "components": components,
        "dependencies": [
            {"ref": me, "dependsOn": [f"pkg:pypi/{n}@{versions[n]}" for n in sorted(needed)]}
        ],
    }
    # the same content has the same number, so that equal trees give equal wheels
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{number}",
        "version": 1,
        **body,
    }


class BillOfMaterials(BuildHookInterface):  # type: ignore[type-arg]
    """Adds notebooks, data and the bill of materials to the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the file before the wheel is packed; an editable one has none."""
        if version == "editable":
            return
        root = Path(self.root)
        build_data["force_include"].update(bundled_files(root))
        project = self.metadata.core.config
        made = bill_of_materials(root, project, self.metadata.version)
        self._file = root / "build" / "cxresearch.cdx.json"
        self._file.parent.mkdir(exist_ok=True)
        self._file.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        build_data.setdefault("sbom_files", []).append(str(self._file))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove the file: it is in the wheel."""
        if version != "editable":
            self._file.unlink(missing_ok=True)
