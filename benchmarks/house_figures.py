"""How easily a newcomer finds the way in a checkout: sizes, import chains, names and words, by the standard library.

    python benchmarks/house_figures.py [FOLDER]

FOLDER is the root of a checkout; that of this script if not given. Nothing is imported, so two checkouts can be
compared by running this one script on both.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

NAME = "cxresearch"
# words that say too little, or different things in different places
WORDS = (
    "told", "found", "own", "says", "beside", "aims", "whole", "keys", "shelf", "strip", "marks", "making", "standins"
)  # fmt: skip
# names that have been replaced, or are to be, by common terms; counted as identifiers alone, most are ordinary words
OLD_NAMES = (
    "Bench", "Store", "Counting", "Found", "Beside", "Aside", "shape", "describes", "ladder", "asked_of",
    "otherwise", "control", "contest", "combine", "against", "since", "until", "ends", "among", "alike",
    "recent", "below", "wording", "named", "gates", "lacks", "suited", "in_the_light_of", "family", "has",
    "reads", "unseen", "facets", "happenings", "setaside", "settle", "narrow", "by_level", "by_cause",
    "after_bad", "hazards", "posted", "gesture", "flipped", "behind", "testable", "variant", "quick_math",
    "issue", "edition", "trace", "look",
)  # fmt: skip
MANY = 6  # positional arguments


def modules(package: Path) -> dict[str, ast.Module]:
    """All modules of the package, by dotted name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    """The package's modules that each module names in its imports, within functions and for type checkers too."""
    edges: dict[str, set[str]] = {}
    for name, tree in trees.items():
        needed = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                needed |= {a.name for a in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                needed |= {
                    m if (m := f"{node.module}.{a.name}") in trees else node.module
                    for a in node.names
                }
        edges[name] = (needed & trees.keys()) - {name, NAME}
    return edges


def chains(edges: dict[str, set[str]]) -> dict[str, int]:
    """How many modules the longest import chain that starts at each module has, itself among them.

    Raises:
        SystemExit: modules import each other.
    """
    length: dict[str, int] = {}
    path: list[str] = []

    def walk(name: str) -> int:
        if name in path:
            sys.exit("modules import each other: " + ", ".join([*path[path.index(name) :], name]))
        if name not in length:
            path.append(name)
            length[name] = 1 + max((walk(n) for n in sorted(edges[name])), default=0)
            path.pop()
        return length[name]

    for name in edges:
        walk(name)
    return length


def root_names(package: Path, trees: dict[str, ast.Module]) -> tuple[list[str], dict[str, str]]:
    """The names in the root's ``__all__``, and the module from which each is imported for type checkers."""
    stub = package / "__init__.pyi"
    tree = ast.parse(stub.read_text(encoding="utf-8")) if stub.exists() else trees[NAME]
    homes = {
        a.asname or a.name: str(node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for a in node.names
    }
    for node in (*trees[NAME].body, *tree.body):
        if isinstance(node, ast.Assign) and any(
            getattr(t, "id", "") == "__all__" for t in node.targets
        ):
            return list(ast.literal_eval(node.value)), homes
    return sorted(homes), homes


def definition(trees: dict[str, ast.Module], module: str, name: str) -> ast.AST | None:
    """What defines a name, followed through the modules that pass it on."""
    for node in trees[module].body if module in trees else ():
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return node
        if isinstance(node, ast.ImportFrom) and node.module in trees:
            for a in node.names:
                if (a.asname or a.name) == name:
                    return definition(trees, str(node.module), a.name)
    return None


def identifiers(tree: ast.AST) -> Counter[str]:
    """How often each name is written: of variables, attributes, arguments, functions, classes and imports."""
    count: Counter[str] = Counter()
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name", "asname"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                count[value] += 1
    return count


def prose(text: str, tree: ast.Module) -> str:
    """The comments and docstrings of a module."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    parts = [t.string for t in tokens if t.type == tokenize.COMMENT]
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    parts += [ast.get_docstring(n) or "" for n in ast.walk(tree) if isinstance(n, documented)]
    return "\n".join(parts)


def many_positional(trees: dict[str, ast.Module]) -> tuple[int, int]:
    """Calls with six positional arguments or more: all, and those of classes, whose names begin with a capital."""
    calls = [
        n
        for tree in trees.values()
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and len(n.args) >= MANY
    ]
    called = [getattr(c.func, "id", getattr(c.func, "attr", "")) for c in calls]
    return len(calls), sum(name[:1].isupper() for name in called)


def figures(root: Path) -> Iterator[str]:
    """The lines to print."""
    package = root / "src" / NAME
    trees = modules(package)
    texts = [p.read_text(encoding="utf-8") for p in sorted(package.rglob("*.py"))]
    lines = [t.count("\n") for t in texts]
    longest = chains(imports(trees))
    public, homes = root_names(package, trees)
    functions = [
        d
        for n in public
        if isinstance(d := definition(trees, homes.get(n, ""), n), ast.FunctionDef)
    ]
    examples = sum(">>> " in (ast.get_docstring(f) or "") for f in functions)
    yield f"modules                                   {len(lines)}"
    yield f"lines of a module, shortest               {min(lines)}"
    yield f"lines of a module, median                 {median(lines):g}"
    yield f"lines of a module, longest                {max(lines)}"
    yield f"modules of fewer than 50 lines            {sum(n < 50 for n in lines)}"
    yield f"import chain, longest                     {max(longest.values())}"
    yield f"import chain, median                      {median(longest.values()):g}"
    yield f"names at the root                         {len(public)}"
    yield f"root functions                            {len(functions)}"
    yield f"root functions with a runnable example    {examples}"
    calls, of_classes = many_positional(trees)
    yield f"calls with six or more positional args    {calls}"
    yield f"of these, objects that are built          {of_classes}"
    names: Counter[str] = sum((identifiers(t) for t in trees.values()), Counter())
    written = Counter(re.findall(r"\w+", "\n".join(map(prose, texts, trees.values())).lower()))
    yield ""
    yield "word            as an identifier    in comments and docstrings"
    for word in WORDS:
        yield f"{word:<14}  {names[word]:>16}    {written[word]:>26}"
    yield ""
    yield "replaced name   as an identifier"
    for word in OLD_NAMES:
        yield f"{word:<14}  {names[word]:>16}"


if __name__ == "__main__":
    if len(sys.argv) > 2 or {"-h", "--help"} & set(sys.argv):
        sys.exit(__doc__)
    print("\n".join(figures(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1])))
