"""What the site's reference changes of docstrings: an ``Example:`` is a section of code, as ``Examples:`` is.

Griffe knows the plural only, and would take the lines of a session for prose.
"""

from __future__ import annotations

import re
from typing import Any

import griffe


class ExampleIsASection(griffe.Extension):
    """Renames the heading before docstrings are parsed."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each object that is found.

        Args:
            obj: a module, class, function or attribute.
        """
        if obj.docstring:
            obj.docstring.value = re.sub(
                r"^( *)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE
            )
