"""The simulated trial, from protocol to site."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from data_schema.errors import DesignError, ProtocolError, StaleError
from evaluation.trial import Trial
from evaluation.trial_log import Event
from tests.support.trials import clock, drawn_trial, estimated_trial


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    made = estimated_trial(tmp_path_factory.mktemp("road") / "trial")
    made.report()
    made.publish()
    return made


@pytest.fixture
def copy(trial: Trial, tmp_path: Path) -> Trial:
    shutil.copytree(trial.paths.root, tmp_path / "trial")
    return Trial(tmp_path / "trial", clock=clock)


def text_of(pdf: Path) -> list[str]:
    """Return the text of each page of a PDF."""
    from pypdf import PdfReader

    return [" ".join(page.extract_text().split()) for page in PdfReader(pdf).pages]


def test_everything_that_is_made_from_simulated_data_says_so_on_every_page(trial: Trial) -> None:
    trial.certificate()
    output = trial.paths.root / "output"
    pages = [*trial.paths.reports.glob("*.html"), *trial.paths.site.rglob("*.html")]
    assert len(pages) > 8
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert '<aside class="practice-notice"' in text, page
        assert "Its data are simulated" in text
        assert "<title>Practice: simulated data" in text
    documents = sorted(output.rglob("*.pdf"))
    assert any(document.name.startswith("certificate") for document in documents)
    for document in documents:
        printed = text_of(document)
        assert all("Practice: simulated data" in page for page in printed), document
        assert "Its data are simulated" in printed[0]
    for table in (*output.rglob("letters_*.csv"), trial.paths.site / "downloads" / "estimates.csv"):
        assert table.read_text(encoding="utf-8-sig").startswith("simulated,")


def states(trial: Trial) -> dict[str, str]:
    return {status.stage: status.state for status in trial.status()}


def test_every_stage_is_fresh_at_the_end(trial: Trial) -> None:
    assert set(states(trial).values()) == {"fresh"}


def test_every_planted_fault_is_found_where_it_was_planted(trial: Trial) -> None:
    faults = json.loads((trial.paths.root / "rehearsal" / "faults.json").read_bytes())
    assert len(faults) >= 5
    found = pd.read_csv(trial.paths.store / "questions.csv", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    found = found[found["severity"] != "note"]
    for fault in faults:
        rows = found[found["file"] == fault["file"]]
        if fault["kind"] not in ("unknown_school", "school_without_zero"):
            rows = rows[rows["row"].isin(map(str, fault["rows"]))]
        assert len(rows), fault


def test_what_was_sent_is_kept_asked_or_refused(trial: Trial) -> None:
    returns = pd.read_csv(trial.paths.store / "returns.csv", encoding="utf-8-sig")
    assert (returns["sent"] == returns["kept"] + returns["asked"] + returns["refused"]).all()
    assert returns["kept"].sum() > 1000


def _bytes_of(folder: Path, *, without: tuple[str, ...]) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part in without for part in path.relative_to(folder).parts):
            yield path, path.read_bytes()


def test_no_name_and_no_identifier_of_a_pupil_leaves_the_inbox(trial: Trial) -> None:
    names: set[str] = set()
    for path in (trial.paths.inbox / "baseline" / "HU").glob("pupil_*.csv"):
        text = path.read_bytes().decode("cp1250" if b"\xef\xbb\xbf" not in path.read_bytes()[:3] else "utf-8-sig")
        names |= {line.split(";")[2].strip() for line in text.splitlines()[1:]}
    assert len(names) > 50
    for path, content in _bytes_of(trial.paths.root, without=("inbox",)):
        for name in names:
            assert name.encode() not in content, path
            assert name.encode("cp1250") not in content, path


def test_the_same_inputs_give_the_same_results_documents_and_site(trial: Trial, tmp_path: Path) -> None:
    # The same key: reports print the hash of the pseudonymised data.
    again = drawn_trial(tmp_path / "trial")
    shutil.copytree(trial.paths.private, again.paths.private, dirs_exist_ok=True)
    again.collect()
    again.balance()
    again.impact()
    again.report()
    again.publish()
    trial.certificate()
    again.certificate()
    for folder in ("plan", "allocation", "results", "balance", "output"):
        first = {
            path.relative_to(trial.paths.root): content
            for path, content in _bytes_of(trial.paths.root / folder, without=())
        }
        second = {
            path.relative_to(again.paths.root): content
            for path, content in _bytes_of(again.paths.root / folder, without=())
        }
        assert first.keys() == second.keys()
        different = [str(path) for path in first if first[path] != second[path]]
        assert different == []


def test_every_number_with_an_id_in_a_report_is_an_estimate(trial: Trial) -> None:
    known = set(pd.read_csv(trial.paths.results / "estimates.csv")["estimate_id"])
    for page in trial.paths.reports.glob("*.html"):
        ids = set(re.findall(r'data-estimate="([^"]+)"', page.read_text(encoding="utf-8")))
        assert ids, page
        assert ids <= known, page


def test_the_analysed_sample_of_each_outcome_is_compared_at_baseline(trial: Trial) -> None:
    table = pd.read_csv(trial.paths.results / "baseline_equivalence.csv", keep_default_na=False)
    protocol = trial.protocol
    planned = {analysis.outcome for analysis in protocol.analyses}
    assert set(table["outcome"]) == planned
    of_all = table[table["country"] == ""]
    for outcome in planned:
        assert set(of_all.loc[of_all["outcome"] == outcome, "variable"]) == {item.name for item in protocol.covariates}
    # Fewer pupils have an outcome than were on the list: the balance stage compares those.
    listed = pd.read_csv(trial.paths.balance / "balance.csv")
    most = listed.loc[(listed["level"] == "pupil") & (listed["country"].isna()), "n_arm"].max()
    assert (of_all["n_arm"] <= most).all()
    assert (of_all["n_arm"] < most).any()
    pages = [path.read_text(encoding="utf-8") for path in sorted(trial.paths.reports.glob("*.html"))]
    shown = [page for page in pages if "Pupils with each outcome, at baseline" in page]
    assert shown
    assert all("Among the pupils whose outcome is known, the arms were" in page for page in shown)


def test_beside_each_linear_mixed_difference_stands_the_one_with_robust_errors(trial: Trial) -> None:
    table = pd.read_csv(trial.paths.results / "estimates.csv", keep_default_na=False)
    mixed = {analysis.name for analysis in trial.protocol.analyses if analysis.model == "linear_mixed"}
    assert mixed
    for entry in mixed:
        rows = table[(table["plan_entry"] == entry) & (table["country"] == "")]
        ours, robust = (rows[rows["quantity"] == name].iloc[0] for name in ("difference", "difference_robust"))
        assert robust["se_type"] == "CR2"
        assert float(robust["estimate"]) == pytest.approx(float(ours["estimate"]), rel=1e-9)
    pages = [path.read_text(encoding="utf-8") for path in sorted(trial.paths.reports.glob("*.html"))]
    assert any("standard errors that do not rest on the model (CR2)" in page for page in pages)


def test_no_estimate_depends_on_the_key_of_the_pseudonyms(trial: Trial, tmp_path: Path) -> None:
    again = estimated_trial(tmp_path / "trial")
    assert (again.paths.private / "pseudonym.key").read_bytes() != (trial.paths.private / "pseudonym.key").read_bytes()
    for name in ("estimates.csv", "flow.csv", "implementation.csv"):
        assert (again.paths.results / name).read_bytes() == (trial.paths.results / name).read_bytes()


def test_an_edited_protocol_makes_what_rests_on_it_stale_and_says_why(copy: Trial) -> None:
    path = copy.paths.protocol
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('direction = "lower"', 'direction = "higher"', 1), encoding="utf-8")
    edited = Trial(copy.paths.root, clock=clock)
    found = {status.stage: status for status in edited.status()}
    assert found["assign"].state == found["collect"].state == found["balance"].state == "fresh"
    assert found["impact"].reasons == ("trial.toml [outcomes] has changed.",)
    assert found["report"].state == found["publish"].state == "stale"
    with pytest.raises(StaleError, match="crocoos impact"):
        edited.report()


def test_what_was_changed_after_the_freeze_is_exploratory_by_itself(copy: Trial) -> None:
    path = copy.paths.protocol
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('direction = "lower"', 'direction = "higher"', 1), encoding="utf-8")
    edited = Trial(copy.paths.root, clock=clock)
    table = edited.impact()
    assert set(table["role"][table["plan_entry"] == "dropout_main"]) == {"exploratory"}
    assert set(table["role"][table["plan_entry"] == "engagement_main"]) == {"secondary"}
    assert edited.evidence().design["changes_after_freeze"] == ["outcomes.dropout.direction: 'lower' became 'higher'"]
    with pytest.raises(ProtocolError, match="frozen before"):
        edited.plan(freeze=True)


def test_a_second_draw_needs_a_reason_and_shows(copy: Trial) -> None:
    before = (copy.paths.allocation / "record.json").read_bytes()
    copy.assign()
    assert (copy.paths.allocation / "record.json").read_bytes() == before
    with pytest.raises(DesignError, match="drawn before"):
        copy.assign(seed="another")
    copy.assign(seed="another", reason="a school was missing from the list")
    assert copy.verify().ok
    assert len(copy.log().of(Event.DRAWN)) == 2
    copy.balance()
    copy.impact()
    assert copy.evidence().log.n_draws == 2


def test_an_edited_allocation_does_not_verify(copy: Trial) -> None:
    path = copy.paths.allocation / "allocation.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(",pilot", ",control", 1), encoding="utf-8")
    found = copy.verify()
    assert not found.ok
    assert "allocation.csv has 'control' as the arm of the school" in found.problems[0]
    assert "the record 'pilot'" in found.problems[0]
    with pytest.raises(StaleError, match="assign"):
        copy.impact()


def test_an_edited_log_does_not_verify(copy: Trial) -> None:
    path = copy.paths.log
    path.write_text(path.read_text(encoding="utf-8").replace("a lottery", "b lottery"), encoding="utf-8")
    assert not copy.verify().ok


def test_a_file_more_in_the_inbox_makes_the_store_stale(copy: Trial) -> None:
    (copy.paths.inbox / "letter.txt").write_text("Dear all", encoding="utf-8")
    assert states(copy)["collect"] == "stale"
    collected = copy.collect()
    assert any(finding.file == "letter.txt" for finding in collected.findings)
    assert states(copy)["impact"] == "fresh"


def test_a_country_that_is_not_in_the_protocol_is_refused(trial: Trial) -> None:
    with pytest.raises(ProtocolError, match="'XX'"):
        trial.evidence(country="XX")
