"""What a refused consent does is what the protocol says, at every stage; and it is seen."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from click.testing import CliRunner

from data_schema.errors import DataError, ProtocolError
from data_schema.store import Store
from evaluation.cli.main import crocoos
from evaluation.stages.evidence import evidence
from evaluation.trial import Trial
from reports import sections
from reports.blocks import Paragraph, join_plain_text
from tests.support.tiny import N_PUPILS, N_SCHOOLS, PROTOCOL, plain_files, pupil_ids, school_ids, tiny_trial

N_REFUSED = N_PUPILS - 1
"""All pupils of the first school refuse but one."""


def refusing_files() -> dict[str, str]:
    """Return the plain files, in the first of which nearly every pupil refuses."""
    files = plain_files()
    name = f"before/pupil_{school_ids()[0]}.csv"
    files[name] = files[name].replace(";yes", ";no", N_REFUSED)
    return files


def refusing_trial(folder: Path, rule: str) -> Trial:
    """Make a trial with refusals that has been collected under a rule."""
    text = f'{PROTOCOL}\n[privacy]\nlegal_basis = "Consent, Article 6"\nrefusal = "{rule}"\n'
    trial = tiny_trial(folder, protocol=text, files=refusing_files())
    trial.assign()
    trial.collect()
    return trial


def said_of_flow(trial: Trial) -> str:
    """Return the sentences of the report's section on the flow of pupils."""
    blocks = sections.participant_flow(evidence(trial, country=""), "en")
    return " ".join(join_plain_text(block.text) for block in blocks if isinstance(block, Paragraph))


def n_analysed(estimates: pd.DataFrame) -> list[int]:
    """Return the number of pupils that the difference rests on."""
    rows = estimates[(estimates["quantity"] == "difference") & (estimates["country"] == "")]
    found: list[int] = rows["n_pupils"].tolist()
    return found


def test_data_with_a_refusal_are_not_taken_in_before_the_protocol_says_what_it_does(tmp_path: Path) -> None:
    trial = tiny_trial(tmp_path / "trial", files=refusing_files())
    with pytest.raises(DataError, match="consent is refused for 11 pupils of 1 school") as caught:
        trial.collect()
    assert "[privacy]" in caught.value.place
    assert not trial.paths.store.exists()
    # The remedy works.
    rule = caught.value.remedy.split("(")[0].removeprefix("Say it: ").strip()
    with trial.paths.protocol.open("a", encoding="utf-8") as stream:
        stream.write(f"\n[privacy]\n{rule}\n")
    assert Trial(trial.paths.root).collect().returns["refused"].sum() == 2 * N_REFUSED


def test_refusing_pupils_are_kept_out_of_everything_counted_and_seen(tmp_path: Path) -> None:
    trial = refusing_trial(tmp_path / "trial", "exclude")
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        assert [len(store.table(name)) for name in ("pupil", "status")] == [N_PUPILS * N_SCHOOLS - N_REFUSED] * 2
        findings = [str(one) for one in store.findings() if one.severity == "question"]
    assert any("Consent is refused for 11 of the 12 pupils of the school 'SI-01'." in one for one in findings)
    asked = pd.read_csv(trial.paths.store / "open_questions.csv", dtype=str, encoding="utf-8-sig")
    assert asked["school_id"].tolist() == ["SI-01"]
    trial.balance()
    assert n_analysed(trial.impact()) == [N_PUPILS * N_SCHOOLS - N_REFUSED]
    flow = pd.read_csv(trial.paths.results / "flow.csv", keep_default_na=False)
    lost = flow[flow["reason"] == "consent refused"]
    assert lost[["step", "n_schools", "n_pupils"]].to_numpy().tolist() == [["outcome_missing", 0, N_REFUSED]]
    counts = flow[flow["arm"] != ""].groupby("step")[["n_schools", "n_pupils"]].sum()
    assert list(counts.loc["baseline"]) == [N_SCHOOLS, N_PUPILS * N_SCHOOLS]
    assert list(counts.loc["outcome_missing"] + counts.loc["analysed"]) == list(counts.loc["baseline"])
    said = said_of_flow(trial)
    assert "Consent was refused: 11 pupils in" in said
    assert "In 1 school more than half of the pupils refused." in said
    assert "their data are kept out" in said
    assert "Legal basis by the protocol: Consent, Article 6." in said
    made = trial.export(country="SI")
    assert made.n_withheld == 2 * N_REFUSED
    assert len(pd.read_csv(made.folder / "status.csv")) == N_PUPILS * N_SCHOOLS - N_REFUSED
    codebook = pd.read_csv(trial.codebook().folder / "codebook.csv", dtype=str)
    assert not codebook[(codebook["table"] == "pupil") & (codebook["field"] == "consent")].empty
    assert trial.forms(wave="after").workbooks


@pytest.mark.parametrize(("rule", "n_withheld"), [("aggregate_only", 2 * N_REFUSED), ("keep", 0)])
def test_refusing_pupils_are_in_estimates_where_the_protocol_says_so_and_leave_by_its_rule(
    tmp_path: Path, rule: str, n_withheld: int
) -> None:
    trial = refusing_trial(tmp_path / "trial", rule)
    trial.balance()
    assert n_analysed(trial.impact()) == [N_PUPILS * N_SCHOOLS]
    said = said_of_flow(trial)
    assert "Consent was refused: 11 pupils in" in said
    assert ("in no file with rows of pupils" in said) == (rule == "aggregate_only")
    assert ("changes nothing" in said) == (rule == "keep")
    assert trial.export(country="SI").n_withheld == n_withheld


def test_another_rule_makes_the_data_and_the_results_stale(tmp_path: Path) -> None:
    trial = refusing_trial(tmp_path / "trial", "keep")
    text = trial.paths.protocol.read_text(encoding="utf-8").replace('refusal = "keep"', 'refusal = "exclude"')
    trial.paths.protocol.write_text(text, encoding="utf-8")
    states = {one.stage: one.state for one in Trial(trial.paths.root).status()}
    assert states["collect"] == "stale"


def test_the_last_answer_counts_and_of_two_in_a_wave_the_refusal(tmp_path: Path) -> None:
    more = '\n[[inbox]]\npattern = "after/pupil_*"\ntable = "pupil"\nwave = "after"\n'
    files = plain_files()
    first, second = school_ids()[:2]
    files[f"before/pupil_{first}.csv"] = files[f"before/pupil_{first}.csv"].replace(";yes", ";no")
    for school, answer in ((first, "yes"), (second, "no")):
        later = files[f"before/pupil_{school}.csv"].replace(";no", ";yes").replace(";yes", f";{answer}")
        files[f"after/pupil_{school}.csv"] = later
    trial = tiny_trial(tmp_path / "trial", protocol=f'{PROTOCOL}{more}\n[privacy]\nrefusal = "exclude"\n', files=files)
    trial.collect()
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        assert set(store.table("pupil")["school_id"]) == set(school_ids()) - {second}


@pytest.mark.parametrize(
    ("added", "problem"),
    [
        ('[privacy]\nconsent = "assent"\n', "no table about pupils has a field 'assent'"),
        ('[privacy]\nrefusal = "exclude"\n[tables.pupil]\nwithout = ["consent"]\n', "has a field 'consent'"),
        (
            '[privacy]\nrefusal = "keep"\n[[tables.pupil.fields]]\nname = "consent"\ntype = "text"\n',
            "'consent' of the table pupil is of type text",
        ),
    ],
)
def test_a_rule_that_would_be_about_no_answer_is_refused(tmp_path: Path, added: str, problem: str) -> None:
    with pytest.raises(ProtocolError, match=problem):
        tiny_trial(tmp_path / "trial", protocol=f"{PROTOCOL}\n{added}")


def test_the_console_shows_a_school_whose_pupils_refuse(tmp_path: Path) -> None:
    text = f'{PROTOCOL}\n[privacy]\nrefusal = "exclude"\n'
    trial = tiny_trial(tmp_path / "trial", protocol=text, files=refusing_files())
    answer = CliRunner().invoke(crocoos, ["collect", str(trial.paths.root)])
    assert "Consent is refused for 11 of the 12 pupils of the school 'SI-01'." in answer.output


def unanswered_files() -> dict[str, str]:
    """Return the plain files: in the first school nobody answered but one, in the second one pupil refused."""
    files = plain_files()
    first, second = (f"before/pupil_{school}.csv" for school in school_ids()[:2])
    files[first] = files[first].replace(";yes", ";", N_REFUSED)
    files[second] = files[second].replace(";yes", ";no", 1)
    return files


def unanswered_trial(folder: Path, privacy: str) -> Trial:
    trial = tiny_trial(folder, protocol=f"{PROTOCOL}\n[privacy]\n{privacy}\n", files=unanswered_files())
    trial.assign()
    trial.collect()
    return trial


BY_CONSENT = 'legal_basis = "Consent, Article 6"\nrefusal = "exclude"'


def test_a_missing_answer_is_no_consent_and_is_counted_apart_from_refusals(tmp_path: Path) -> None:
    trial = unanswered_trial(tmp_path / "trial", BY_CONSENT)
    n_kept = N_PUPILS * N_SCHOOLS - N_REFUSED - 1
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        assert [len(store.table(name)) for name in ("pupil", "status")] == [n_kept] * 2
    asked = pd.read_csv(trial.paths.store / "open_questions.csv", dtype=str, encoding="utf-8-sig")
    assert asked[["school_id", "column", "problem"]].to_numpy().tolist() == [
        ["SI-01", "consent", "No answer on consent for 11 of the 12 pupils of the school 'SI-01'."]
    ]
    trial.balance()
    assert n_analysed(trial.impact()) == [n_kept]
    flow = pd.read_csv(trial.paths.results / "flow.csv", keep_default_na=False)
    lost = flow[flow["step"] == "outcome_missing"].set_index("reason")["n_pupils"]
    assert dict(lost) == {"consent refused": 1, "no answer on consent": N_REFUSED}
    counts = flow[flow["arm"] != ""].groupby("step")[["n_schools", "n_pupils"]].sum()
    assert list(counts.loc["baseline"]) == [N_SCHOOLS, N_PUPILS * N_SCHOOLS]
    assert list(counts.loc["outcome_missing"] + counts.loc["analysed"]) == list(counts.loc["baseline"])
    said = said_of_flow(trial)
    assert "No answer on consent was given, which is no consent: 11 pupils in" in said
    assert "In 1 school more than half of the pupils have no answer." in said
    assert trial.export(country="SI").n_withheld == 2 * (N_REFUSED + 1)


def test_pupils_without_an_answer_leave_in_no_file_where_refusing_pupils_do_not(tmp_path: Path) -> None:
    trial = unanswered_trial(tmp_path / "trial", 'refusal = "aggregate_only"')
    trial.balance()
    assert n_analysed(trial.impact()) == [N_PUPILS * N_SCHOOLS]
    made = trial.export(country="SI")
    assert made.n_withheld == 2 * (N_REFUSED + 1)
    assert len(pd.read_csv(made.folder / "status.csv")) == N_PUPILS * N_SCHOOLS - N_REFUSED - 1
    assert "No answer on consent was given" in said_of_flow(trial)


def test_a_missing_answer_is_no_objection_where_the_protocol_states_another_ground(tmp_path: Path) -> None:
    text = 'legal_basis = "Public task, Article 6 (1) e"\nrefusal = "exclude"\nconsent_model = "opt_out"'
    trial = unanswered_trial(tmp_path / "trial", text)
    trial.balance()
    assert n_analysed(trial.impact()) == [N_PUPILS * N_SCHOOLS - 1]
    said = said_of_flow(trial)
    assert "Consent was refused:" in said
    assert "No answer on consent" not in said


def test_a_file_without_any_answer_on_consent_keeps_its_pupils_out_and_asks_for_the_column(tmp_path: Path) -> None:
    files = plain_files()
    empty, absent = (f"before/pupil_{school}.csv" for school in school_ids()[:2])
    files[empty] = files[empty].replace(";yes", ";")
    files[absent] = files[absent].replace(";consent", "").replace(";yes", "")
    trial = tiny_trial(tmp_path / "trial", protocol=f"{PROTOCOL}\n[privacy]\n{BY_CONSENT}\n", files=files)
    trial.assign()
    trial.collect()
    asked = pd.read_csv(trial.paths.store / "open_questions.csv", dtype=str, encoding="utf-8-sig")
    assert asked[["school_id", "column"]].to_numpy().tolist() == [["SI-01", "consent"], ["SI-02", "consent"]]
    trial.balance()
    assert n_analysed(trial.impact()) == [N_PUPILS * (N_SCHOOLS - 2)]


def test_an_answer_that_cannot_be_read_keeps_the_pupil_out_and_is_asked_about(tmp_path: Path) -> None:
    files = plain_files()
    name = f"before/pupil_{school_ids()[0]}.csv"
    files[name] = files[name].replace(";yes", ";perhaps", 1)
    trial = tiny_trial(tmp_path / "trial", protocol=f"{PROTOCOL}\n[privacy]\n{BY_CONSENT}\n", files=files)
    trial.collect()
    asked = pd.read_csv(trial.paths.store / "open_questions.csv", dtype=str, encoding="utf-8-sig")
    assert "yes nor no" in " ".join(asked["problem"])
    with Store.open_read(trial.paths.store / "trial.duckdb") as store:
        assert len(store.table("pupil")) == N_PUPILS * N_SCHOOLS - 1


def test_a_pupil_without_an_answer_is_in_no_form_of_a_later_wave(tmp_path: Path) -> None:
    trial = unanswered_trial(tmp_path / "trial", BY_CONSENT)
    made = {path.stem: path for path in trial.forms(wave="after").workbooks}
    cells = {
        str(cell)
        for sheet in openpyxl.load_workbook(made["SI-01"]).worksheets
        for row in sheet.iter_rows(values_only=True)
        for cell in row
    }
    assert [pupil in cells for pupil in pupil_ids("SI-01")] == [False] * N_REFUSED + [True]
