"""What a refused consent does is what the protocol says, at every stage; and it is seen."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from data_schema.errors import DataError, ProtocolError
from data_schema.store import Store
from evaluation.cli.main import crocoos
from evaluation.evidence import evidence
from evaluation.trial import Trial
from reports import sections
from reports.blocks import Paragraph, plain
from tests.support.tiny import N_PUPILS, N_SCHOOLS, PROTOCOL, plain_files, school_ids, tiny_trial

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
    return " ".join(plain(block.text) for block in blocks if isinstance(block, Paragraph))


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
