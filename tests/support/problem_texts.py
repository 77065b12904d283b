"""Every problem that code can state, read from its syntax: the patterns of its place, problem and remedy."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from tests.support.protocols import ROOT

ANYTHING = ".+?"


@dataclass(frozen=True, slots=True)
class ProblemText:
    """A problem that a function states; each choice between two texts makes two of them."""

    where: str
    place: str
    problem: str
    remedy: str

    def matches(self, place: str, problem: str, remedy: str) -> bool:
        """Tell whether a problem can be this one; its place may have the file's name in front."""
        texts = ((f"(?:.+, )?{self.place}", place), (self.problem, problem), (self.remedy, remedy))
        return all(re.fullmatch(pattern, text, re.DOTALL) for pattern, text in texts)

    def __str__(self) -> str:
        return f"{self.where}: {self.problem} {self.remedy}".replace("\\", "").replace(ANYTHING, "*")


def problem_texts(file: str, makers: Sequence[str]) -> list[ProblemText]:
    """Return every text that a file of ours states through one of the callables named.

    What only passes on a problem that was stated elsewhere is left out.

    Parameters
    ----------
    file
        Path below the repository.
    makers
        Callables that take place, problem and remedy; "yield" for functions that yield problem and remedy.
    """
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    found: dict[ProblemText, None] = {}
    for name, function in functions.items():
        reader = _Reader(functions, _assigned(tree.body), _assigned(list(ast.walk(function))))
        for place, problem, remedy in _stated(function, makers):
            texts = product(reader.patterns(place), reader.patterns(problem), reader.following().patterns(remedy))
            found |= dict.fromkeys(
                ProblemText(f"{file}, {name}", *text) for text in texts if text[1:] != (ANYTHING, ANYTHING)
            )
    return list(found)


def _stated(function: ast.FunctionDef, makers: Sequence[str]) -> Iterator[tuple[ast.expr, ast.expr, ast.expr]]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in makers:
            what = next((word.value for word in node.keywords if word.arg == "what"), None)
            if what is not None:
                yield node.args[0], _is_no(what), ast.Name("remedy")
            elif len(node.args) == 3:
                yield node.args[0], node.args[1], node.args[2]
        elif "yield" in makers and isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple):
            yield ast.Name("place"), node.value.elts[0], node.value.elts[1]


def _is_no(what: ast.expr) -> ast.expr:
    """Return what `unknown` says of a word that names nothing."""
    parts: list[ast.expr] = [ast.Constant("'"), ast.Name("word"), ast.Constant("' is no "), what, ast.Constant(".")]
    return ast.JoinedStr(parts)


Assigned = dict[str, list[tuple[int, list[ast.expr]]]]


def _assigned(nodes: Sequence[ast.AST]) -> Assigned:
    """Return what names are set to, with the line: by assignments, and by loops over what is written there."""
    found: Assigned = {}
    for node in sorted(nodes, key=lambda one: getattr(one, "lineno", 0)):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append((node.lineno, [node.value]))
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Name):
            listed: list[ast.expr] = (
                list(node.iter.elts) if isinstance(node.iter, ast.Tuple) else [ast.Name("anything")]
            )
            found.setdefault(node.target.id, []).append((node.lineno, listed))
    return found


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads texts in a function, with the names that it knows."""

    functions: Mapping[str, ast.FunctionDef]
    constants: Assigned
    names: Assigned
    follows: bool = False

    def following(self) -> _Reader:
        """Return a reader that also reads what functions of the file return."""
        return replace(self, follows=True)

    def patterns(self, node: ast.expr) -> list[str]:
        """Return the patterns of the texts that an expression can be."""
        if isinstance(node, ast.Constant):
            return [re.escape(str(node.value))]
        if isinstance(node, ast.IfExp):
            return [*self.patterns(node.body), *self.patterns(node.orelse)]
        if isinstance(node, ast.JoinedStr):
            return ["".join(parts) for parts in product(*(self.patterns(part) for part in node.values))]
        if isinstance(node, ast.FormattedValue):
            return self.patterns(node.value)
        if isinstance(node, ast.Name):
            return self._named(node)
        if self.follows and isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return self._returned(node.func.id)
        return [ANYTHING]

    def _named(self, node: ast.Name) -> list[str]:
        """Return what a name was last set to before."""
        line = getattr(node, "lineno", 0)
        earlier = [values for at, values in self.names.get(node.id, ()) if at < line]
        found = earlier[-1:] or ([values for _, values in self.constants.get(node.id, ())] if line else [])
        texts = [text for values in found for value in values for text in self.patterns(value)]
        return list(dict.fromkeys(texts)) or [ANYTHING]

    def _returned(self, name: str) -> list[str]:
        if name not in self.functions:
            return [ANYTHING]
        inside = list(ast.walk(self.functions[name]))
        reader = _Reader(self.functions, self.constants, _assigned(inside))
        ends = [one.value for one in inside if isinstance(one, ast.Return) and one.value]
        return list(dict.fromkeys(text for end in ends for text in reader.patterns(end)))


def files_that_state(makers: Sequence[str], folder: str) -> list[str]:
    """Return the files below a folder that call one of the makers."""
    named = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / folder).rglob("*.py"))]
    return [file for file in named if any(f"{maker}(" in (ROOT / file).read_text("utf-8") for maker in makers)]
