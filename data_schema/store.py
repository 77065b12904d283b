"""The trial's database: one DuckDB file, written whole, read by everything after intake."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from data_schema.errors import StorageError
from data_schema.files import to_disk
from data_schema.findings import Findings

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_SOURCES = ("source_file", "source_sheet", "source_row")
_WORDING = ("school", "name")
_SQL_TYPES = {
    "Int64": "BIGINT",
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "boolean": "BOOLEAN",
    "bool": "BOOLEAN",
    "datetime64[us]": "TIMESTAMP",
}
# Of 16 kB; the usual 256 kB for every column make a small trial's file ten times as large.
_BLOCK_SIZE = 16_384


def content_hash(frames: Mapping[str, pd.DataFrame]) -> str:
    """Hash the data in tables, whatever the order of rows and columns and wherever they came from.

    Parameters
    ----------
    frames
        Table to its rows. The columns that tell where a row was sent are left out, so that the same data in files of
        other names have the same hash, and so is what a school is called: correcting that changes no result.

    Returns
    -------
    str
        SHA-256 in hexadecimal of a canonical text: for each table by name its columns by name and its rows, sorted.
    """
    digest = hashlib.sha256()
    for name in sorted(frames):
        frame = frames[name]
        columns = sorted(
            str(column) for column in frame.columns if column not in _SOURCES and (name, column) != _WORDING
        )
        digest.update(json.dumps([name, columns, len(frame)]).encode() + b"\n")
        rows = zip(*(_convert_to_plain_values(frame[column]) for column in columns), strict=True)
        for row in sorted(json.dumps(row) for row in rows):
            digest.update(row.encode() + b"\n")
    return digest.hexdigest()


def _convert_to_plain_values(column: pd.Series) -> list[object]:
    """Return values that JSON knows; None where missing."""
    if column.dtype.kind == "M":
        column = column.dt.strftime("%Y-%m-%dT%H:%M:%S.%f")
    values: list[object] = column.astype(object).where(column.notna(), None).tolist()
    return values


def write_store(
    path: Path,
    *,
    frames: Mapping[str, pd.DataFrame],
    imports: pd.DataFrame,
    repairs: pd.DataFrame,
    findings: Findings,
    facts: Mapping[str, str],
    answers: pd.DataFrame | None = None,
) -> None:
    """Write the database: all of it, or nothing.

    Parameters
    ----------
    path
        The file; its folder must be there. One that is there is replaced when the new one is complete.
    frames
        Table to its rows, without identifiers (see `pseudonymised`). Columns of the types that intake makes.
    imports
        The reconciliation of intake.
    repairs, findings
        Of intake.
    facts
        What else is worth keeping, such as hashes of what was read.
    answers
        What schools answered to queries; nothing when None.

    Raises
    ------
    StorageError
        When the disk is full, or the folder cannot be written. What was there before is untouched then.
    """
    import duckdb

    partial = path.with_name(f".{path.name}.partial")
    try:
        _remove(partial)
        # Rows beyond memory go where other files of the moment go, not into the working folder.
        with duckdb.connect(config={"temp_directory": tempfile.gettempdir()}) as connection:
            place = str(partial).replace("'", "''")
            connection.execute(f"ATTACH '{place}' AS store (BLOCK_SIZE {_BLOCK_SIZE})")
            _write_schema(connection, "data", frames)
            about = {
                "imports": imports,
                "repairs": repairs,
                "findings": findings.to_frame(),
                "facts": _build_fact_table(facts),
            }
            about |= {} if answers is None else {"answers": answers}
            _write_schema(connection, "meta", about)
            connection.execute("DETACH store")
        _move_into_place(partial, path)
    except (OSError, duckdb.OperationalError, duckdb.FatalException, duckdb.InternalError) as error:
        with suppress(OSError):
            _remove(partial)
        raise StorageError(
            str(path),
            f"The database cannot be written: {_describe_reason(error)}",
            "Check free space and rights of the folder, then repeat; what was there before is untouched.",
        ) from error


def _remove(partial: Path) -> None:
    for left in (partial, partial.with_name(f"{partial.name}.wal")):
        left.unlink(missing_ok=True)


def _move_into_place(partial: Path, path: Path) -> None:
    """Have the file on the disk before it gets its name, and the name before anyone reads of it."""
    to_disk(partial)
    partial.replace(path)
    to_disk(path.parent)


def _describe_reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    for sign, meaning in (("No space left", "the disk is full."), ("Read-only file system", "it is read-only.")):
        if sign in text:
            return meaning
    return f"{text.splitlines()[0].rstrip('.!')}." if text else f"{type(error).__name__}."


def _build_fact_table(facts: Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(sorted(facts.items()), columns=["name", "value"]).astype("str")


def _write_schema(connection: duckdb.DuckDBPyConnection, schema: str, frames: Mapping[str, pd.DataFrame]) -> None:
    connection.execute(f"CREATE SCHEMA store.{schema}")
    for name, frame in frames.items():
        table = f"store.{schema}.{_escape_identifier(name)}"
        columns = ", ".join(
            f"{_escape_identifier(str(column))} {_find_sql_type(frame[column])}" for column in frame.columns
        )
        # A table needs a column, also when the frame has none.
        connection.execute(f"CREATE TABLE {table} ({columns or '_ BOOLEAN'})")
        dtypes = json.dumps({column: str(frame[column].dtype) for column in frame.columns})
        comment = dtypes.replace("'", "''")
        connection.execute(f"COMMENT ON TABLE {table} IS '{comment}'")
        if len(frame):
            connection.register("rows_to_write", _as_known(frame))
            connection.execute(f"INSERT INTO {table} SELECT * FROM rows_to_write")  # noqa: S608 -- quoted above
            connection.unregister("rows_to_write")


def _escape_identifier(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _find_sql_type(column: pd.Series) -> str:
    return _SQL_TYPES.get(str(column.dtype), "VARCHAR")


def _as_known(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with text as objects, which every version of DuckDB reads."""
    known = frame.copy()
    for name in frame.columns:
        if _find_sql_type(frame[name]) == "VARCHAR":
            known[name] = frame[name].astype(object).where(frame[name].notna(), None)
    return known


@contextmanager
def _describe_damage(path: Path) -> Iterator[None]:
    """Describe what DuckDB says about a file that it cannot read."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise StorageError(
            str(path),
            f"The database cannot be read: {_describe_reason(error)}",
            "Close other programs that have it open; if it is damaged, collect the data again: `crocoos collect`.",
        ) from error


class Store:
    """A trial's database, open for reading.

    Use `Store.open_read`.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> frames = {"exam": pd.DataFrame({"school_id": ["04"], "wave": ["2001"], "passed": [1.0]})}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "trial.duckdb"
    ...     write_store(
    ...         path, frames=frames, imports=pd.DataFrame(), repairs=pd.DataFrame(), findings=Findings(), facts={}
    ...     )
    ...     with Store.open_read(path) as store:
    ...         store.tables, store.table("exam", wave="2001")["passed"].tolist()
    (('exam',), [1.0])
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self._path = path

    @classmethod
    @contextmanager
    def open_read(cls, path: Path) -> Iterator[Self]:
        """Open the database for as long as the context lasts.

        Raises
        ------
        StorageError
            When there is none, or it cannot be read.
        """
        import duckdb

        if not path.is_file():
            raise StorageError(str(path), "There is no database.", "Run `crocoos collect` first.")
        with _describe_damage(path):
            connection = duckdb.connect(str(path), read_only=True)
        try:
            yield cls(connection, path)
        finally:
            connection.close()

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables, in alphabetical order."""
        table_rows = self._connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'data'"
        ).fetchall()
        return tuple(sorted(name for (name,) in table_rows))

    def table(self, name: str, wave: str | None = None) -> pd.DataFrame:
        """Return a table, or one wave of it.

        Parameters
        ----------
        name
            Name of the table.
        wave
            A wave; all of them when None.

        Returns
        -------
        pandas.DataFrame
            Rows in the order and columns in the types in which they were written, also where there are no rows.

        Raises
        ------
        StorageError
            When there is no such table.
        """
        if name not in self.tables:
            known = ", ".join(self.tables) or "none"
            raise StorageError(str(self._path), f"There is no table {name!r}.", f"The tables are: {known}.")
        return self._read("data", name, wave)

    def findings(self) -> Findings:
        """Return what intake found."""
        return Findings.from_frame(self._read("meta", "findings"))

    def repairs(self) -> pd.DataFrame:
        """Return what intake repaired, one row per cell."""
        return self._read("meta", "repairs")

    def answers(self) -> pd.DataFrame:
        """Return what schools answered to queries, one row per cell; without columns where no answers were kept."""
        import pandas as pd

        known = self._connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'meta'").fetchall()
        return self._read("meta", "answers") if ("answers",) in known else pd.DataFrame()

    def imports(self) -> pd.DataFrame:
        """Return the reconciliation, one row per file, sheet and table."""
        return self._read("meta", "imports")

    def facts(self) -> dict[str, str]:
        """Return what else was kept."""
        frame = self._read("meta", "facts")
        return dict(zip(frame["name"], frame["value"], strict=True))

    def content_sha256(self) -> str:
        """Return the hash of all tables, as `content_hash` makes it."""
        return content_hash({name: self.table(name) for name in self.tables})

    def _read(self, schema: str, name: str, wave: str | None = None) -> pd.DataFrame:
        where, values = ("", []) if wave is None else (" WHERE wave = ?", [wave])
        query = f"SELECT * FROM {schema}.{_escape_identifier(name)}{where}"  # noqa: S608 -- the name is quoted
        about = "SELECT comment FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?"
        with _describe_damage(self._path):
            frame = self._connection.execute(query, values).df()
            comment = self._connection.execute(about, [schema, name]).fetchone()
        dtypes = json.loads(comment[0]) if comment and comment[0] else {}
        return frame[list(dtypes)].astype(dtypes)
