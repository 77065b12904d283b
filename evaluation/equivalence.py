"""How alike the arms were at baseline in the analysed sample of each outcome: pupils who have the outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.comparison import comparison_of

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.population import AnalysisData
    from evaluation.protocol import Protocol
    from randomisation.balance import Variable


def variable_of(frame: pd.DataFrame, name: str, *, label: str) -> Variable:
    """Return a column of a frame as a variable to compare: numbers, or the shares of its categories.

    Raises
    ------
    DataError
        When the frame has no such column.
    """
    import pandas as pd

    from data_schema.errors import DataError
    from randomisation.balance import Variable

    if name not in frame.columns:
        raise DataError(
            f"the sampling frame, column '{name}'",
            "it is not there, and a covariate needs it.",
            f"Add the column, or use one of: {', '.join(frame.columns)}.",
        )
    numeric = pd.api.types.is_numeric_dtype(frame[name])
    return Variable(name=name, label=label, kind="number" if numeric else "category")


def equivalence_table(protocol: Protocol, data: AnalysisData) -> pd.DataFrame:
    """Compare the arms at baseline among the pupils whose outcome is known, for each outcome that the plan names.

    Parameters
    ----------
    protocol
        Says which covariates there are, and which of them the analyses of an outcome adjust for.
    data
        The analysis data.

    Returns
    -------
    pandas.DataFrame
        The columns of `randomisation.balance.balance_table` after ``outcome`` and ``adjusted`` (whether every analysis
        of the outcome adjusts for the covariate); one row per outcome, covariate (and category), country ("" for all)
        and arm. Every row compares pupils, those of a covariate of schools too.

    References
    ----------
    What Works Clearinghouse, Procedures and Standards Handbook: equivalence is a property of the analytic sample.
    """
    import pandas as pd

    from randomisation.balance import COLUMNS, balance_table

    variables = [variable_of(data.frame, item.name, label=item.label) for item in protocol.covariates]
    tables = []
    for name in dict.fromkeys(analysis.outcome for analysis in protocol.analyses):
        compared = comparison_of(protocol, protocol.outcome(name))
        analysed = data.frame[data.frame[name].notna()]
        analysed = analysed.assign(arm=analysed["arm"].map(compared.group_of))
        table = balance_table(analysed, variables=variables, arms=compared.names, level="pupil")
        allowed = [set(analysis.covariates) for analysis in protocol.analyses if analysis.outcome == name]
        table.insert(0, "outcome", name)
        table.insert(1, "adjusted", table["variable"].isin(set.intersection(*allowed)))
        tables.append(table)
    columns = ["outcome", "adjusted", *COLUMNS]
    return pd.concat(tables, ignore_index=True) if variables else pd.DataFrame(columns=columns)
