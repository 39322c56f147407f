"""The rules of the house, read off the syntax trees: each returns what breaks it.

A rule takes the repository's root and returns one line per violation. ``test_architecture.py``
holds them against this repository, and against small trees with one planted violation each.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

PACKAGE = "kdq_ref"

# From the ground up; a module imports from strictly lower rows or from its own package. The first
# four rows are floor 0, which stands on itself in this order.
FLOORS = (
    ("errors",),
    ("checks",),
    ("geometry", "files", "int4"),
    ("operands",),
    ("functional", "rounding", "data"),
    ("intref", "kernels", "nn", "losses"),
    ("infer", "distill", "optim", "zoo"),
    ("quant", "prune"),
    ("train", "interop", "verify"),
    ("pipeline",),
    ("report", "cli", "pytest_plugin"),
)
HEIGHT = {unit: height for height, row in enumerate(FLOORS) for unit in row}

INTEGER_PACKAGES = ("infer", "intref", "kernels", "rounding")
FLOAT_PACKAGES = ("nn", "functional", "quant", "losses")

# Modules without a test file of their own ("kdq_ref/nn/dense.py"), each with the reason.
UNMIRRORED: dict[str, str] = {}

CODE_FOLDERS = (PACKAGE, "csrc", "tests", "bench")
MAX_LINES = 400
EMPTY_NAMES = {"util", "utils", "helper", "helpers", "common", "misc"}

UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
SEEDED_RANDOM = {"Generator", "default_rng", "SeedSequence", "BitGenerator", "PCG64", "Philox"}


def package_modules(root: Path) -> dict[str, Path]:
    """Dotted name and file of every module of the package."""
    found = {}
    for path in sorted((root / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(root: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (importing module, imported module, imported name or "") for every import."""
    modules = package_modules(root)
    for name, path in modules.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for node in ast.walk(_parse(path)):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield name, alias.name, ""
            elif isinstance(node, ast.ImportFrom):
                source = node.module or ""
                if node.level:
                    above = package.split(".")[: len(package.split(".")) - node.level + 1]
                    source = ".".join([*above, *([source] if source else [])])
                for alias in node.names:
                    whole = f"{source}.{alias.name}"
                    yield (name, whole, "") if whole in modules else (name, source, alias.name)


def floors(root: Path) -> list[str]:
    """A module imports only from strictly lower floors, or from inside its own package."""
    broken = [
        f"{path.relative_to(root)}: '{_unit(name)}' has no floor in tests/architecture.py"
        for name, path in package_modules(root).items()
        if _unit(name) and _unit(name) not in HEIGHT
    ]
    for name, target, symbol in imports(root):
        unit, other = _unit(name), _unit(target)
        if not unit or target.split(".")[0] != PACKAGE or unit == other:
            continue
        if not other:
            if symbol != "__version__":
                broken.append(f"{name}: imports the root package ({symbol or target})")
        elif HEIGHT.get(other, len(FLOORS)) >= HEIGHT.get(unit, len(FLOORS)):
            broken.append(f"{name}: imports {target}, which is not on a lower floor")
    return broken


def integers_only(root: Path) -> list[str]:
    """The integer side does not reach the float side, not even through others."""
    modules = package_modules(root)
    edges: dict[str, set[str]] = {name: set() for name in modules}
    for name, target, _ in imports(root):
        # Importing a module runs the packages around it, too (all but the root, which is the API).
        parts = target.split(".")
        ancestors = {".".join(parts[:end]) for end in range(2, len(parts) + 1)}
        edges[name] |= ancestors & modules.keys()
    broken = []
    for start in modules:
        if _unit(start) not in INTEGER_PACKAGES:
            continue
        came_from = {start: ""}
        queue = [start]
        for name in queue:
            for target in sorted(edges[name] - came_from.keys()):
                came_from[target] = name
                queue.append(target)
        for name in queue:
            # Only the first step into the float side; what lies behind it follows from that.
            if _unit(name) in FLOAT_PACKAGES and _unit(came_from[name]) not in FLOAT_PACKAGES:
                broken.append(f"{start}: reaches {name} (through {came_from[name]})")
    return broken


def compiled_code_in_kernels(root: Path) -> list[str]:
    """Only kernels/ touches the compiled module; private names stay in their package."""
    broken = []
    for name, target, symbol in imports(root):
        if _unit(name) == "kernels":
            continue
        inside = target.split(".")[0] == PACKAGE
        private = [p for p in (*target.split("."), symbol) if p.startswith("_") and p[:2] != "__"]
        if target.split(".")[0] == "cffi" or (inside and symbol in ("ffi", "lib")):
            broken.append(f"{name}: touches the compiled module ({target} {symbol})".rstrip())
        elif inside and private and _unit(name) != _unit(target):
            broken.append(f"{name}: imports the private {private[0]} of {target}")
    return broken


def tests_mirror(root: Path) -> list[str]:
    """Every module has its test file; every exception is needed and says why."""
    broken = []
    for path in package_modules(root).values():
        if path.stem in ("__init__", "__main__"):
            continue
        module = path.relative_to(root)
        mirror = Path("tests", *module.parts[1:-1], f"test_{module.name}")
        if (root / mirror).exists() == (module.as_posix() in UNMIRRORED):
            fault = "is excused but exists" if (root / mirror).exists() else "is missing"
            broken.append(f"{module}: {mirror} {fault}")
    missing = (name for name in UNMIRRORED if not (root / name).exists())
    return broken + [f"{name}: excused from tests, but does not exist" for name in missing]


def file_sizes(root: Path) -> list[str]:
    """No source file is longer than 400 lines."""
    broken = []
    for path in _code_files(root):
        if path.suffix in (".py", ".c", ".h"):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > MAX_LINES:
                broken.append(f"{path.relative_to(root)}: {lines} lines, at most {MAX_LINES}")
    return broken


def file_names(root: Path) -> list[str]:
    """Files and folders are named by what they hold; test folders are not packages."""
    broken = []
    for path in _code_files(root):
        parts = path.relative_to(root).with_suffix("").parts
        empty = [part for part in parts if part.removeprefix("test_").strip("_") in EMPTY_NAMES]
        if empty:
            broken.append(
                f"{path.relative_to(root)}: '{empty[0]}' says nothing about what it holds"
            )
        if parts[0] == "tests" and parts[-1] == "__init__":
            broken.append(f"{path.relative_to(root)}: tests/ has no __init__.py")
    return broken


def forbidden_constructs(root: Path) -> list[str]:
    """No unpickling, no evaluated text, no random state but explicitly seeded generators."""
    broken = [
        f"{name}: imports {target} {symbol}".rstrip()
        for name, target, symbol in imports(root)
        if target.split(".")[0] in (UNSAFE_MODULES | {"random"})
        or (target == "numpy.random" and symbol not in SEEDED_RANDOM)
    ]
    for name, path in package_modules(root).items():
        for node in ast.walk(_parse(path)):
            found = _forbidden(node)
            if found:
                broken.append(f"{name}:{getattr(node, 'lineno', 0)}: {found}")
    return broken


def _forbidden(node: ast.AST) -> str:
    if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
        return "" if isinstance(node.value, ast.Constant) and not node.value.value else "unpickles"
    if isinstance(node, ast.Attribute):
        chain = ast.unparse(node)
        if chain.startswith(("np.random.", "numpy.random.")) and chain.count(".") == 2:
            return "" if node.attr in SEEDED_RANDOM else f"{chain} is global random state"
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func)
        if called in ("eval", "exec"):
            return f"{called}()"
        if called.rpartition(".")[2] == "default_rng" and not (node.args or node.keywords):
            return "default_rng() without a seed"
    return ""


def docstrings(root: Path) -> list[str]:
    """Every module and everything public in it has a docstring, its own or an inherited one."""
    trees = {name: _parse(path) for name, path in package_modules(root).items()}
    classes = {
        node.name: node
        for tree in trees.values()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }
    broken = []
    for name, tree in trees.items():
        if not ast.get_docstring(tree):
            broken.append(f"{name}: the module has no docstring")
        broken += [f"{name}: {thing} has no docstring" for thing in _undocumented(tree, classes)]
    return broken


def _undocumented(
    scope: ast.Module | ast.ClassDef, classes: dict[str, ast.ClassDef]
) -> Iterator[str]:
    for node in scope.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if node.name.startswith("_"):
            continue
        # A setter and the signatures of an overload are documented by what they belong to.
        decorators = {ast.unparse(d).rpartition(".")[2] for d in node.decorator_list}
        inherited = isinstance(scope, ast.ClassDef) and _documented_above(scope, node.name, classes)
        if not (ast.get_docstring(node) or inherited or decorators & {"setter", "overload"}):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{thing}" for thing in _undocumented(node, classes))


def _documented_above(child: ast.ClassDef, method: str, classes: dict[str, ast.ClassDef]) -> bool:
    """Whether a class of this package that ``child`` derives from documents the method."""
    names = (ast.unparse(base).rpartition(".")[2] for base in child.bases)
    parents = [classes[name] for name in names if name in classes and name != child.name]
    return any(
        isinstance(node, ast.FunctionDef) and node.name == method and ast.get_docstring(node)
        for parent in parents
        for node in parent.body
    ) or any(_documented_above(parent, method, classes) for parent in parents)


def one_line_test_docstrings(root: Path) -> list[str]:
    """Every test says in one line what it shows."""
    broken = []
    for path in _code_files(root):
        if path.relative_to(root).parts[0] != "tests" or not path.name.startswith("test_"):
            continue
        for node in ast.walk(_parse(path)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                lines = (ast.get_docstring(node) or "").splitlines()
                if len(lines) != 1:
                    fault = f"docstring of {len(lines)} lines" if lines else "no docstring"
                    broken.append(f"{path.relative_to(root)}: {node.name} has {fault}")
    return broken


RULES: tuple[Callable[[Path], list[str]], ...] = (
    floors,
    integers_only,
    compiled_code_in_kernels,
    tests_mirror,
    file_sizes,
    file_names,
    forbidden_constructs,
    docstrings,
    one_line_test_docstrings,
)


def _code_files(root: Path) -> list[Path]:
    files = (p for folder in CODE_FOLDERS for p in (root / folder).rglob("*") if p.is_file())
    return sorted(path for path in files if "__pycache__" not in path.parts)


def _unit(module: str) -> str:
    """The package or module directly under the root that a dotted name lies in; "" is the root."""
    parts = module.split(".")
    return parts[1] if parts[0] == PACKAGE and len(parts) > 1 and parts[1] != "__main__" else ""


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
