"""How telling names are and how plain the English is; `make check` runs it, and it ends with 1 where either falls back.

Functions begin with a verb, values have nouns that say what they hold, and texts use the terms of the field: figures
of what was reached, which only go up. A line that a pattern finds is re-worded; the pattern stays.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("data_schema", "randomisation", "analysis", "reports", "evaluation")
LEAST_WITH_VERB = 0.55
LEAST_LENGTH = 12
MOST_VAGUE = 5.0
"""Per 1,000 assignments."""

VERBS = frozenset(
    """
    add adjust aggregate align allocate analyse announce answer append apply as ask assert assign attach balance
    begin bind build can check classify clean close collect combine compare compile compute contrast convert copy
    correct count create decide decode decrypt delete derive describe detect disable draw drop embed enable encode
    encrypt ensure enumerate erase escape estimate evaluate execute expand export extract filter find fit flag
    format freeze from generate get give group guard handle has hash impute index infer initialise insert integrate
    invoke is iterate join judge keep link list load locate lock log map mark match measure merge mirror move
    normalise open pair parse permute plan pool predict prepare print process protect publish query raise randomise
    rank read rebuild receive record recover refuse register remove rename render repair replace replay report
    require resample reshape resolve restore return reverse round run sample save scale score search select send set
    should show sign simulate solve sort split stage stamp standardise start state stop store sum summarise suppress
    swap take test thaw to trace transform translate try unlock update validate verify visit warn weight withdraw
    wrap write
    """.split()
)
VAGUE = {"at", "found", "given", "here", "kept", "made", "mine", "one", "own", "rest", "said", "told", "whole"}
SLIPS = {
    r"\b(rows?|pupils?|schools?|scores?|one) (a|an) (pupil|school|row|arm|wave|class|stratum)\b": "write 'per'",
    r"\b(values?|ids?|workbooks?) (a|an) (pupil|school|row|variable)\b": "write 'per'",
    r"\b(rows?|one) (a|an) (draw|cell|file|outcome|variable)\b": "write 'per'",
    r"\b(be|is|are|was|were) told (of|from|by|apart)\b": "write reported, stated or distinguished",
    r"\b(stands?|stood) (in|for|beside)\b": "write 'is in' or 'represents'",
    r"\b(do|does|did) not hold\b": "write 'is not valid'",
    r"\balike often\b": "write 'with equal probability'",
    r"\b(made|drawn) anew\b": "write 'rebuilt' or 'drawn again'",
    r"\bof (which|whom) none\b": "write 'none of which'",
    r'"""(Say|Tell|Take in) ': "begin with Show, Read, Return, Report, Describe",
}
_SLIPS = [(re.compile(pattern, re.IGNORECASE), remedy) for pattern, remedy in SLIPS.items()]


def iterate_modules() -> Iterator[Path]:
    """Yield the files of the packages."""
    for package in PACKAGES:
        yield from sorted(Path(package).rglob("*.py"))


def measure_names() -> tuple[float, float, float]:
    """Return the share of functions that begin with a verb, their median length, and vague names per 1,000 values."""
    functions: list[str] = []
    values: list[str] = []
    for path in iterate_modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("__"):
                if not any("property" in ast.unparse(decorator) for decorator in node.decorator_list):
                    functions.append(node.name.strip("_"))
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                values.append(node.id)
    with_verb = sum(name.split("_")[0] in VERBS for name in functions) / len(functions)
    vague = 1000 * sum(name in VAGUE for name in values) / len(values)
    return with_verb, statistics.median(map(len, functions)), vague


def find_slips() -> Iterator[str]:
    """Yield the place of each line with a habit that a native reader stumbles over, and what to write."""
    texts = [path for package in PACKAGES for path in sorted(Path(package).rglob("*.md"))]
    for path in [*iterate_modules(), *texts, *sorted(Path().glob("*.md"))]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for pattern, remedy in _SLIPS:
                if match := pattern.search(line):
                    yield f"{path}:{number}: '{match[0]}': {remedy}"


def main() -> int:
    """Print the figures and the places; return 1 where one is worse than what was reached."""
    with_verb, length, vague = measure_names()
    slips = list(find_slips())
    print(f"Functions: {with_verb:.0%} begin with a verb, median length {length:g}.")
    print(f"Values: {vague:.1f} vague names per 1,000.")
    print(*slips, sep="\n")
    return int(with_verb < LEAST_WITH_VERB or length < LEAST_LENGTH or vague > MOST_VAGUE or bool(slips))


if __name__ == "__main__":
    sys.exit(main())
