"""A small, safe language for what must hold in a record: ``team_meetings >= plans_reviewed``.

Comparisons, ``and``, ``or``, ``not``, ``in``, sums, ``given(field)`` and ``missing(field)``; nothing else of Python is
understood, nothing is looked up and nothing is called. Where a value is missing, what depends on it is not known.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from data_schema.errors import ProtocolError

if TYPE_CHECKING:
    import pandas as pd

    from data_schema.fields import Field

Kind = Literal["number", "text", "truth", "date", "month"]

WINDOW: Mapping[str, Kind] = {"trial_opens": "date", "wave_opens": "date", "wave_closes": "date", "wave": "text"}
"""Names beside those of the fields: first day of the trial, first and last day of the record's wave, and its name."""

_KINDS: Mapping[str, Kind] = {
    "identifier": "text", "text": "text", "code": "text", "yes_no": "truth", "date": "date", "month": "month",
    "year": "number", "whole_number": "number", "number": "number",
}  # fmt: skip
# Any: arrays of whatever kind the two sides have, which were checked to go together.
_COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], object]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}  # fmt: skip
_COMPUTED: Mapping[type[ast.operator], Callable[[object, object], object]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
}  # fmt: skip
_LONGEST, _DEEPEST = 400, 12
_REMEDY = "Use fields, and, or, not, in, comparisons, + - *, given(field) and missing(field)."


@dataclass(frozen=True, slots=True)
class _Value:
    """What part of an expression is in each record, and where it is known."""

    kind: Kind
    array: np.ndarray
    is_known: np.ndarray


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that was checked.

    Parameters
    ----------
    text
        The expression.
    names
        The fields that it speaks of, in their order.
    """

    text: str
    names: tuple[str, ...]

    def is_broken(self, frame: pd.DataFrame, kinds: Mapping[str, Kind]) -> np.ndarray:
        """Return where the expression is known not to hold, record by record; shape (n_rows,).

        Parameters
        ----------
        frame
            Records, with the fields and the names of `WINDOW` that the expression speaks of.
        kinds
            Name to what it holds, as `kinds_of` returns it.
        """
        condition_value = _Evaluation(frame, kinds).value(ast.parse(self.text, mode="eval").body)
        broken: np.ndarray = condition_value.is_known & ~condition_value.array.astype(bool)
        return broken


def get_kinds_of_names(fields: tuple[Field, ...]) -> dict[str, Kind]:
    """Return what each name that an expression may speak of holds; fields that tell who somebody is are left out."""
    return {item.name: _KINDS[item.type] for item in fields if not item.is_private} | dict(WINDOW)


def checked(text: str, fields: tuple[Field, ...], *, place: str) -> Expression:
    """Return an expression that can be worked out.

    Parameters
    ----------
    text
        The expression.
    fields
        The fields of the table.
    place
        Where it stands, for errors.

    Raises
    ------
    ProtocolError
        When it is none of the language, speaks of fields that there are not, or compares what cannot be compared.
    """
    if len(text) > _LONGEST:
        raise ProtocolError(place, f"the rule is longer than {_LONGEST} signs.", "Write two rules.")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ProtocolError(place, f"{text!r} is no expression.", _REMEDY) from error
    codes = {item.name: tuple(code.name for code in item.codes) for item in fields if item.type == "code"}
    kind = _Check(get_kinds_of_names(fields), codes, place).kind(tree, 0)
    if kind != "truth":
        raise ProtocolError(place, f"{text!r} is neither true nor false.", "Compare it with something.")
    names = tuple(dict.fromkeys(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)))
    return Expression(text=text, names=tuple(name for name in names if name in {item.name for item in fields}))


@dataclass(frozen=True, slots=True)
class _Check:
    """Goes through an expression before there are data."""

    kinds: Mapping[str, Kind]
    codes: Mapping[str, tuple[str, ...]]
    place: str

    def kind(self, node: ast.expr, depth: int) -> Kind:
        if depth > _DEEPEST:
            raise ProtocolError(self.place, "the rule is nested too deeply.", "Write two rules.")
        if isinstance(node, ast.Name):
            return self._infer_kind_of_name(node.id)
        if isinstance(node, ast.Constant):
            return self._infer_kind_of_constant(node)
        if isinstance(node, ast.BoolOp | ast.UnaryOp):
            return self._infer_kind_of_connective(node, depth)
        if isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED:
            if {self.kind(node.left, depth + 1), self.kind(node.right, depth + 1)} == {"number"}:
                return "number"
            raise self._build_protocol_error("only numbers can be added", node)
        if isinstance(node, ast.Compare):
            return self._infer_kind_of_comparison(node, depth)
        if isinstance(node, ast.Call):
            return self._infer_kind_of_call(node)
        raise self._build_protocol_error("this is not part of the language", node)

    def _infer_kind_of_name(self, name: str) -> Kind:
        if name not in self.kinds:
            raise ProtocolError(
                self.place, f"{name!r} is no field of the table.", f"Use one of {', '.join(self.kinds)}."
            )
        return self.kinds[name]

    def _infer_kind_of_constant(self, node: ast.Constant) -> Kind:
        if isinstance(node.value, bool):
            return "truth"
        if isinstance(node.value, int | float):
            return "number"
        if isinstance(node.value, str):
            return "text"
        raise self._build_protocol_error("this is not part of the language", node)

    def _infer_kind_of_connective(self, node: ast.BoolOp | ast.UnaryOp, depth: int) -> Kind:
        if isinstance(node, ast.UnaryOp):
            kind = self.kind(node.operand, depth + 1)
            wanted: Kind | None = {ast.Not: "truth", ast.USub: "number"}.get(type(node.op))  # type: ignore[assignment]
            if kind != wanted:
                raise self._build_protocol_error("this cannot be turned round", node)
            return kind
        if {self.kind(operand, depth + 1) for operand in node.values} != {"truth"}:  # noqa: PD011 -- of a syntax tree
            raise self._build_protocol_error("what is joined must be true or false", node)
        return "truth"

    def _infer_kind_of_comparison(self, node: ast.Compare, depth: int) -> Kind:
        sides = [node.left, *node.comparators]
        for left, sign, right in zip(sides[:-1], node.ops, sides[1:], strict=True):
            if isinstance(sign, ast.In | ast.NotIn):
                if not isinstance(right, ast.Tuple | ast.List) or not right.elts:
                    raise self._build_protocol_error("'in' needs a list of answers", node)
                others = right.elts
            elif type(sign) not in _COMPARED:
                raise self._build_protocol_error("this is not part of the language", node)
            else:
                others = [right]
            for other in others:
                self._require_comparable_sides(left, other, sign, node, depth)
        return "truth"

    def _require_comparable_sides(
        self, left: ast.expr, right: ast.expr, sign: ast.cmpop, node: ast.expr, depth: int
    ) -> None:
        kinds = [self.kind(left, depth + 1), self.kind(right, depth + 1)]
        self._check_answer(left, right)
        self._check_answer(right, left)
        sides = zip(kinds, (left, right), strict=True)
        is_day = all(kind in ("date", "month") or _is_day(side) for kind, side in sides)
        is_ordered = isinstance(sign, ast.Lt | ast.LtE | ast.Gt | ast.GtE)
        if not is_day and (kinds[0] != kinds[1] or (is_ordered and kinds[0] != "number")):
            raise self._build_protocol_error(f"a {kinds[0]} cannot be compared with a {kinds[1]} so", node)

    def _check_answer(self, field: ast.expr, answer: ast.expr) -> None:
        if not isinstance(field, ast.Name) or not isinstance(answer, ast.Constant) or field.id not in self.codes:
            return
        if answer.value not in self.codes[field.id]:
            known = ", ".join(self.codes[field.id])
            raise ProtocolError(self.place, f"{answer.value!r} is no answer of {field.id!r}.", f"Use one of {known}.")

    def _infer_kind_of_call(self, node: ast.Call) -> Kind:
        is_known = isinstance(node.func, ast.Name) and node.func.id in ("given", "missing")
        if not is_known or node.keywords or len(node.args) != 1 or not isinstance(node.args[0], ast.Name):
            raise self._build_protocol_error("this is not part of the language", node)
        self._infer_kind_of_name(node.args[0].id)
        return "truth"

    def _build_protocol_error(self, problem: str, node: ast.expr) -> ProtocolError:
        return ProtocolError(self.place, f"{problem}: {ast.unparse(node)}.", _REMEDY)


def _is_day(node: ast.expr) -> bool:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
        return False
    try:
        return not np.isnat(np.datetime64(node.value, "D"))
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """Works a checked expression out for all records at once."""

    frame: pd.DataFrame
    kinds: Mapping[str, Kind]

    def value(self, node: ast.expr) -> _Value:
        match node:
            case ast.Name():
                return self._make_column(node.id)
            case ast.Constant():
                return self._convert_constant(node.value)
            case ast.UnaryOp():
                inner = self.value(node.operand)
                turned = ~inner.array.astype(bool) if isinstance(node.op, ast.Not) else -inner.array
                return _Value(inner.kind, turned, inner.is_known)
            case ast.BoolOp():
                return self._join_truth_values(node)
            case ast.BinOp():
                left, right = self.value(node.left), self.value(node.right)
                computed = np.asarray(_COMPUTED[type(node.op)](left.array, right.array))
                return _Value("number", computed, left.is_known & right.is_known)
            case ast.Compare():
                return self._compare_chain(node)
            case ast.Call(func=ast.Name(id=name), args=[ast.Name(id=field)]):
                is_given = self._make_column(field).is_known
                everywhere = np.ones(len(self.frame), dtype=bool)
                return _Value("truth", is_given if name == "given" else ~is_given, everywhere)
        raise AssertionError(ast.dump(node))

    def _make_column(self, name: str) -> _Value:
        series, kind = self.frame[name], self.kinds[name]
        is_known = series.notna().to_numpy(dtype=bool)
        if kind == "number":
            return _Value(kind, series.astype("Float64").to_numpy(dtype=float, na_value=0.0), is_known)
        if kind == "truth":
            return _Value(kind, series.astype("boolean").to_numpy(dtype=bool, na_value=False), is_known)
        if kind == "date":
            return _Value(kind, series.to_numpy(dtype="datetime64[D]"), is_known)
        if kind == "month":
            return _Value(
                kind, np.array(series.astype(object).where(is_known, None).tolist(), dtype="datetime64[M]"), is_known
            )
        return _Value(kind, series.astype(object).where(is_known, "").to_numpy(dtype=object), is_known)

    def _convert_constant(self, value: object) -> _Value:
        kind: Kind = "truth" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
        array = np.full(len(self.frame), value, dtype=object if kind == "text" else None)
        return _Value(kind, array, np.ones(len(self.frame), dtype=bool))

    def _join_truth_values(self, node: ast.BoolOp) -> _Value:
        """Return "and" and "or" where one side may settle it without the other."""
        is_and = isinstance(node.op, ast.And)
        values = [self.value(operand) for operand in node.values]  # noqa: PD011 -- of a syntax tree
        settled = np.logical_or.reduce(
            [operand_value.is_known & (operand_value.array.astype(bool) != is_and) for operand_value in values]
        )
        all_known = np.logical_and.reduce([operand_value.is_known for operand_value in values])
        return _Value("truth", settled ^ is_and, settled | all_known)

    def _compare_chain(self, node: ast.Compare) -> _Value:
        holds, is_known = np.ones(len(self.frame), dtype=bool), np.ones(len(self.frame), dtype=bool)
        is_false = np.zeros(len(self.frame), dtype=bool)
        for comparison_value in self._iterate_comparisons(node):
            holds &= comparison_value.array
            is_known &= comparison_value.is_known
            is_false |= comparison_value.is_known & ~comparison_value.array
        return _Value("truth", holds & ~is_false, is_known | is_false)

    def _iterate_comparisons(self, node: ast.Compare) -> Iterator[_Value]:
        sides = [node.left, *node.comparators]
        for left, sign, right in zip(sides[:-1], node.ops, sides[1:], strict=True):
            left_value = self.value(left)
            if isinstance(right, ast.Tuple | ast.List):
                others = [_align_sides(left_value, self.value(other)) for other in right.elts]
                is_in = np.logical_or.reduce([np.asarray(a == b, dtype=bool) for a, b in others])
                yield _Value("truth", is_in if isinstance(sign, ast.In) else ~is_in, left_value.is_known)
            else:
                other = self.value(right)
                a, b = _align_sides(left_value, other)
                is_true = np.asarray(_COMPARED[type(sign)](a, b), dtype=bool)
                yield _Value("truth", is_true, left_value.is_known & other.is_known)


def _align_sides(one: _Value, other: _Value) -> tuple[np.ndarray, np.ndarray]:
    """Return two sides as they are compared: days as days, or as months where one of them is a month."""
    kinds = {one.kind, other.kind}
    if not kinds & {"date", "month"}:
        return one.array, other.array
    unit = "datetime64[M]" if "month" in kinds else "datetime64[D]"
    return one.array.astype("datetime64[D]").astype(unit), other.array.astype("datetime64[D]").astype(unit)
