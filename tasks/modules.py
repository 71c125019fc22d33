"""Finding a function's source without running it, so that no TensorFlow is imported for a key."""

from __future__ import annotations

import ast
import difflib
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from distkeras.errors import ConfigError

__all__ = ["import_function", "locate", "raised"]

KEY = "train.model.function"


def locate(reference: str) -> Path:
    """The source file of ``package.module:function``, which is parsed but not imported.

    Args:
        reference: looked for in the working directory first, then along ``sys.path``.

    Raises:
        ConfigError: there is no such module, it is no Python source, or it binds no such name.
    """
    module, _, name = reference.partition(":")
    spec = _find(module)
    if isinstance(spec, str):
        where = f"no module {spec} in {Path.cwd()} or on Python's path"
        raise ConfigError(f"{KEY} = {reference!r}: {where}")
    if not spec.has_location or not str(spec.origin).endswith(".py"):
        raise ConfigError(f"{KEY} = {reference!r}: {module} is no Python source file")
    source = Path(str(spec.origin))
    _check_binds(source, name, reference)
    return source


def import_function(reference: str) -> Callable[..., Any]:
    """Imports ``package.module:function``.

    Raises:
        ConfigError: the import fails, whatever the module raises, or the name is no function.
    """
    module, _, name = reference.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        function = getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as error:
        reason = f"importing {module} raised {raised(error)}"
        raise ConfigError(f"{KEY} = {reference!r}: {reason}") from error
    if not callable(function):
        kind = type(function).__name__
        raise ConfigError(f"{KEY} = {reference!r}: {name} is no function but {kind}")
    return function  # type: ignore[no-any-return]


def raised(error: BaseException) -> str:
    """An exception of the user's code in one line: its type and what it says."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _find(module: str) -> ModuleSpec | str:
    """The module's specification, or the first dotted name that is not there."""
    found = PathFinder.find_spec(module.partition(".")[0], [str(Path.cwd())])
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        name = ".".join(parts[:depth])
        if depth > 1 or found is None:
            path = found.submodule_search_locations if found else None
            found = _ask_finders(name, path) if depth == 1 or path else None
        if found is None:
            return name
    assert found is not None
    return found


def _ask_finders(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    # Unlike importlib.util.find_spec, this does not import the packages above the module.
    for finder in sys.meta_path:
        if spec := finder.find_spec(name, path):
            return spec
    return None


def _check_binds(source: Path, name: str, reference: str) -> None:
    try:
        tree = ast.parse(source.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:
        raise ConfigError(
            f"{KEY} = {reference!r}: {source} is not valid Python: {error}"
        ) from error
    names = set(_bound(tree))
    if name in names or "*" in names:
        return
    close = difflib.get_close_matches(name, names, 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise ConfigError(f"{KEY} = {reference!r}: {source} has no {name}{hint}")


def _bound(tree: ast.Module) -> Iterator[str]:
    """The names that a module binds, its conditional statements included, functions' own not."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (item.asname or item.name.split(".")[0] for item in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        else:
            waiting.extend(ast.iter_child_nodes(node))
