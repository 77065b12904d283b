"""What leaves a trial, as one system: its reports, and the pages about its data that have left already."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.outcomes import OUTCOME_KINDS
from evaluation.specifications import build_tables
from evaluation.trial_log import FOLDER, Event

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.folder import TrialFolder
    from evaluation.protocol import Analysis, Outcome
    from reports.counted import Pupils
    from reports.evidence import Evidence
    from reports.release.gate import DataPage, Release
    from reports.release.system import Link

_DATA, _STEP = "data_sha256", "disclosure_threshold"


def describe_count_release(trial: TrialFolder) -> Mapping[str, str]:
    """Return what the log says of a product with numbers of pupils: of which data it is, and what it rounds to."""
    from evaluation.stored import CONTENT

    content = trial.paths.store / CONTENT
    if not content.exists():
        return {}  # nothing has been collected, and nothing is counted
    data = json.loads(content.read_bytes())["sha256"]
    return {_DATA: str(data), _STEP: str(trial.protocol.reports.disclosure_threshold)}


def build_release(trial: TrialFolder) -> Release:
    """Return what leaves with a trial's reports, and what has left of the same data.

    Documents in every language and the table of estimates, and the codebooks, pages of returns and exports' codebooks
    that the log names. Those of other data than the reports' count other pupils, and are not among them.
    """
    from evaluation.population import classify_outcome_values
    from evaluation.stages.evidence import evidence as evidence_of
    from evaluation.stages.report import PUBLISHED, find_trial_documents
    from reports.release.gate import Release
    from reports.release.links import collect_file_links

    protocol, folder = trial.protocol, trial.paths.reports
    documents, evidence = find_trial_documents(protocol), evidence_of(trial, country="")
    pages = read_released_data_pages(trial)
    return Release(
        pages={item.stem: (folder / f"{item.stem}.html").read_text(encoding="utf-8") for item in documents},
        languages={item.stem: item.language for item in documents},
        estimates=(folder / PUBLISHED).read_text(encoding="utf-8-sig"),
        kinds=classify_outcome_values(protocol),
        threshold=protocol.reports.disclosure_threshold,
        assumed={
            entry.name: entry.missing_outcome for entry in protocol.analyses if entry.missing_outcome != "leave_out"
        },
        links=(*collect_file_links(evidence), *(_iterate_data_links(trial, evidence) if pages else ())),
        data_pages=pages,
        answers={
            (name, field.name): tuple(code.name for code in field.codes)
            for name, table in build_tables(protocol).items()
            for field in table.fields
        },
    )


def check_beside_site(trial: TrialFolder, target: Path, folder: Path) -> None:
    """Refuse a product from which, beside what is published of the same data, a small number follows.

    Parameters
    ----------
    trial
        The trial; nothing is looked at where its site is not published, or is of other data.
    target
        Where the product is to be.
    folder
        Where its files are now.

    Raises
    ------
    DisclosureError
        When a number of pupils below the threshold follows.
    """
    from evaluation.stages import statuses
    from reports.release.gate import check_release

    if {stage_status.stage: stage_status.state for stage_status in statuses(trial)}["publish"] == "fresh":
        release, product = build_release(trial), target.relative_to(trial.paths.root).as_posix()
        others = {name: page for name, page in release.data_pages.items() if Path(name).parent != Path(product)}
        step = trial.protocol.reports.disclosure_threshold
        check_release(replace(release, data_pages=others | _read_pages_in_folder(folder, product, step=step)))


def read_released_data_pages(trial: TrialFolder) -> dict[str, DataPage]:
    """Return the pages about the data that have left, of the data that are stored now; by their paths."""
    pages_by_path: dict[str, DataPage] = {}
    now = describe_count_release(trial).get(_DATA)
    last = {line.detail[FOLDER]: line.detail for line in trial.log().of(Event.WRITTEN)}
    for name, detail in last.items():
        if now is None or detail.get(_DATA) != now:
            continue
        pages_by_path |= _read_pages_in_folder(trial.paths.root / name, name, step=int(detail[_STEP]))
    return pages_by_path


def _read_pages_in_folder(folder: Path, product: str, *, step: int) -> dict[str, DataPage]:
    from reports.release.gate import DataPage

    return {
        f"{product}/{path.name}": DataPage(
            html=path.read_text(encoding="utf-8"), language=_parse_page_language(path), step=step
        )
        for path in sorted(folder.glob("*.html"))
    }


def _parse_page_language(path: Path) -> str:
    """Return the language of a page "codebook.HU.hu.html"."""
    return path.name.split(".")[-2]


def _iterate_data_links(trial: TrialFolder, evidence: Evidence) -> Iterator[Link]:
    """Yield what holds between the rows of tables, the files that they came in, and who is enrolled and analysed."""
    from evaluation.population import find_measure_place
    from evaluation.stored import read_stored_tables
    from reports.release.answers import ROWS, build_answer_set
    from reports.release.system import Link
    from reports.tables.data_returns import build_file_rows_set

    frames, tables = read_stored_tables(trial), trial.tables
    returns = evidence.returns
    for name, frame in frames.items():
        if tables[name].about == "school" or "wave" not in frame:
            continue
        for (wave, country), rows in frame.groupby(["wave", "country"], sort=False):
            files = returns.loc[
                (returns["table"] == name) & (returns["wave"] == wave) & (returns["country"] == country)
            ]
            if len(files) and int(files["kept"].sum()) == len(rows):
                all_rows = build_answer_set((name, str(wave), ""), ROWS, str(country))
                yield Link(terms=((all_rows, 1), (build_file_rows_set(files, "kept"), -1)))
    for entry in trial.protocol.analyses:
        outcome = next(candidate for candidate in trial.protocol.outcomes if candidate.name == entry.outcome)
        if not outcome.items and entry.missing_outcome == "leave_out" and outcome.table in frames:
            table, wave = find_measure_place(outcome, trial.protocol, tables)
            frame = frames[table]
            rows = frame.loc[frame["wave"] == wave] if "wave" in frame else frame
            yield from _iterate_analysis_links(entry, outcome, (table, wave), rows=rows, evidence=evidence)


def _iterate_analysis_links(
    entry: Analysis, outcome: Outcome, home: tuple[str, str], *, rows: pd.DataFrame, evidence: Evidence
) -> Iterator[Link]:
    """Yield that whoever is analysed has answered, and whoever has the event has one of its answers."""
    from reports.counted import Pupils
    from reports.release.answers import ANSWERED, build_answer_set

    name = outcome.field or outcome.name
    question = (*home, name)
    flow, means = evidence.flow, evidence.estimates
    means = means.loc[(means["plan_entry"] == entry.name) & (means["quantity"] == "mean")]
    for country in evidence.countries:
        country_means = means.loc[means["country"] == (country if len(evidence.countries) > 1 else "")]
        n = int(country_means["n_pupils"].sum())
        if not n:
            continue
        is_mine = (flow["step"] == "analysed") & (flow["country"] == country) & flow["arm"].isin(country_means["arm"])
        in_flow = flow.loc[is_mine, "n_pupils"].sum()
        arms = tuple(dict.fromkeys(map(str, country_means["arm"])))
        analysed_pupils = Pupils(what="outcome", name=entry.name, arms=arms, countries=(country,))
        if int(in_flow) == n:
            analysed_pupils = Pupils(what="analysed", arms=arms, countries=(country,))
        values = rows.loc[(rows["country"] == country) & rows[name].notna(), name]
        yield from _iterate_part_links(analysed_pupils, n, [build_answer_set(question, ANSWERED, country)], len(values))
        kind = OUTCOME_KINDS[outcome.kind]
        if kind.is_share:
            # Of times until an event nobody knows how many of the pupils with the event had it by the horizon.
            events = (
                round(float((country_means["estimate"] * country_means["n_pupils"]).sum())) if kind.is_yes_no else -1
            )
            answers = outcome.event or ("yes",)
            words = values.map({True: "yes", False: "no"}) if values.dtype == "boolean" else values.astype(str)
            event = Pupils(
                what="event", name=analysed_pupils.name or analysed_pupils.what, arms=arms, countries=(country,)
            )
            sets = [build_answer_set(question, answer, country) for answer in answers]
            yield from _iterate_part_links(event, events, sets, int(words.isin(answers).sum()))


def _iterate_part_links(part: Pupils, n: int, whole: Sequence[Pupils], n_whole: int) -> Iterator[Link]:
    """Yield that a set is part of others together, or is all of them; nothing where it is not."""
    from reports.release.system import Link

    if n <= n_whole:
        terms = ((part, -1), *((other_part, 1) for other_part in whole))
        yield Link(terms=terms, high=0.0 if n == n_whole else math.inf)
