"""`crocoos fit`: a model of tidy files, without a trial's folder, that says what the library says."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from analysis import linear_model, mixed_model, wild_bootstrap
from analysis.simulation import simulate_scores
from data_schema.errors import CrocoosError
from data_schema.exports import encode_parquet
from evaluation.cli.fit_command import BELONGS, KINDS, Wishes
from evaluation.cli.main import crocoos, get_exit_code
from tests.support.protocols import ROOT

SCORES = "score ~ arm + pretest + (1 | school)"


@pytest.fixture(scope="module")
def pupils() -> pd.DataFrame:
    """Scores, dropout and absence of pupils in 16 schools, whose identifiers begin with zeros."""
    made = simulate_scores(16, 12, icc=0.15, effect=0.4, seed=1).rename(columns={"baseline": "pretest"})
    random = np.random.default_rng(1)
    made["left"] = (random.random(len(made)) < 0.3).astype(int)
    made["absent"] = random.poisson(3, len(made))
    made["days"] = random.integers(100, 180, len(made))
    made["stratum"] = made["school"] // 4
    made["school"] = made["school"].map("{:03d}".format)
    return made


@pytest.fixture
def folder(pupils: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all pupils in one file, and in two."""
    pupils.to_csv(tmp_path / "pupils.csv", index=False)
    is_first = pupils["school"] < "008"
    pupils.loc[is_first].to_csv(tmp_path / "first.csv", index=False)
    pupils.loc[~is_first].to_csv(tmp_path / "second.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answer_of(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(crocoos, ["fit", *words, "--json"])
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    answer: dict[str, Any] = json.loads(done.output)
    return answer


def error_of(*words: str) -> CrocoosError:
    error = CliRunner().invoke(crocoos, ["fit", *words]).exception
    assert isinstance(error, CrocoosError), error
    return error


def assert_same(records: list[dict[str, Any]], frame: pd.DataFrame, *, rtol: float = 1e-12) -> None:
    """Compare the rows of an answer with the library's frame."""
    rows = pd.DataFrame(records)
    assert list(rows.columns) == list(frame.columns)
    for name in frame.columns:
        if frame[name].dtype.kind == "f":
            np.testing.assert_allclose(rows[name].astype(float), frame[name], rtol=rtol, atol=1e-12, err_msg=name)
        else:
            assert rows[name].tolist() == frame[name].tolist(), name


LIBRARY: dict[str, tuple[list[str], Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "linear multilevel": ([SCORES], lambda frame: mixed_model(SCORES, frame).tidy()),
    "with the other reference": (
        [SCORES, "--reference", "arm", "pilot", "--conf-level", "0.9"],
        lambda frame: mixed_model(SCORES, frame, reference={"arm": "pilot"}).tidy(conf_level=0.9),
    ),
    "by maximum likelihood": ([SCORES, "--ml"], lambda frame: mixed_model(SCORES, frame, reml=False).tidy()),
    "cluster-robust multilevel": (
        [SCORES, "--se-type", "CR2"],
        lambda frame: mixed_model(SCORES, frame, se_type="CR2").tidy(),
    ),
    "weights and variances by group": (
        [SCORES, "--weights", "days", "--residual-by", "arm", "--df-method", "satterthwaite"],
        lambda frame: mixed_model(SCORES, frame, weights="days", residual_by="arm", df_method="satterthwaite").tidy(),
    ),
    "binomial": (
        ["left ~ arm + (1 | school)", "--family", "binomial", "--link", "cloglog"],
        lambda frame: mixed_model("left ~ arm + (1 | school)", frame, family="binomial", link="cloglog").tidy(),
    ),
    "poisson": (
        ["absent ~ arm + (1 | school)", "--family", "poisson", "--exposure", "days", "--n-nodes", "1"],
        lambda frame: mixed_model(
            "absent ~ arm + (1 | school)", frame, family="poisson", exposure="days", n_nodes=1
        ).tidy(),
    ),
    "negative binomial": (
        ["absent ~ arm + (1 | school)", "--family", "negative_binomial"],
        lambda frame: mixed_model("absent ~ arm + (1 | school)", frame, family="negative_binomial").tidy(),
    ),
    "least squares": (
        ["score ~ arm + pretest", "--cluster", "school", "--se-type", "CR3", "--fixed-effects", "stratum"],
        lambda frame: linear_model(
            "score ~ arm + pretest", frame, cluster="school", se_type="CR3", fixed_effects="stratum"
        ).tidy(),
    ),
}


@pytest.mark.parametrize("model", LIBRARY)
def test_the_command_says_what_the_library_says(model: str, folder: Path, pupils: pd.DataFrame) -> None:
    words, expected = LIBRARY[model]
    answer = answer_of(*words, str(folder / "pupils.csv"))
    assert_same(answer["terms"], expected(pupils))
    assert answer["practice"] is False


@pytest.mark.parametrize("words", [[SCORES], [SCORES, "--by-parts"], [SCORES, "--by-parts", "--se-type", "CR2"]])
@pytest.mark.usefixtures("folder")
def test_parts_of_a_data_set_are_fitted_as_the_whole(words: list[str]) -> None:
    model = [word for word in words if word != "--by-parts"]
    whole = pd.DataFrame(answer_of(*model, "pupils.csv")["terms"])
    assert_same(answer_of(*words, "first.csv", "second.csv")["terms"], whole, rtol=1e-8)


@pytest.mark.usefixtures("folder")
def test_parts_of_another_family_are_put_together() -> None:
    words = ["left ~ arm + (1 | school)", "--family", "binomial"]
    whole = answer_of(*words, "pupils.csv")["terms"]
    assert answer_of(*words, "first.csv", "second.csv")["terms"] == whole


def test_parts_may_have_identifiers_with_and_without_zeros_and_types_of_their_own(
    folder: Path, pupils: pd.DataFrame
) -> None:
    second = pupils.loc[pupils["school"] >= "008"].assign(school=lambda frame: "1" + frame["school"].str[1:])
    second.to_csv("second.csv", index=False)
    first = pupils.loc[pupils["school"] < "008"]
    (folder / "first.parquet").write_bytes(encode_parquet(first))
    expected = mixed_model(SCORES, pd.concat([first, second])).tidy()
    assert_same(answer_of(SCORES, "first.parquet", "second.csv")["terms"], expected, rtol=1e-8)
    assert_same(answer_of(SCORES, "first.csv", "second.csv", "--by-parts")["terms"], expected, rtol=1e-8)


def test_a_workbook_is_read_by_the_name_of_its_sheet(folder: Path, pupils: pd.DataFrame) -> None:
    with pd.ExcelWriter(folder / "pupils.xlsx") as book:
        pd.DataFrame({"note": ["no data here"]}).to_excel(book, sheet_name="Notes", index=False)
        pupils.to_excel(book, sheet_name="Pupils", index=False)
    assert_same(answer_of(SCORES, "pupils.xlsx", "--sheet", "Pupils")["terms"], mixed_model(SCORES, pupils).tidy())
    assert error_of(SCORES, "pupils.xlsx", "--sheet", "Other").problem == "It has no sheet 'Other'."


@pytest.mark.usefixtures("folder")
def test_what_else_is_asked_of_a_multilevel_model_is_the_librarys(pupils: pd.DataFrame) -> None:
    words = ["--icc", "--profile", "--effects", "arm", "--joint-test", "arm", "--compare", "score ~ arm + (1 | school)"]
    answer, made = answer_of(SCORES, "pupils.csv", *words), mixed_model(SCORES, pupils)
    assert_same(answer["icc"], made.icc())
    assert_same(answer["profile_intervals"], made.profile_intervals())
    assert_same(answer["joint_tests"], made.f_test("arm"))
    effects = pd.concat([made.marginal_means("arm"), made.marginal_contrasts("arm")], ignore_index=True)
    assert_same(answer["effects"], effects)
    assert_same(answer["variance_components"], made.variance_components())
    larger, smaller = (mixed_model(one, pupils, reml=False) for one in (SCORES, "score ~ arm + (1 | school)"))
    (tested,) = pd.DataFrame(answer["comparison"]).to_dict("records")
    assert tested["statistic"] == pytest.approx(2 * (larger.log_likelihood - smaller.log_likelihood), rel=1e-9)
    assert (tested["smaller"], tested["df"]) == (smaller.formula, 1)


@pytest.mark.usefixtures("folder")
def test_what_else_is_asked_of_other_models_is_the_librarys(pupils: pd.DataFrame) -> None:
    formula = "left ~ arm + (1 | school)"
    answer = answer_of(formula, "pupils.csv", "--family", "binomial", "--icc", "--effects", "arm")
    made = mixed_model(formula, pupils, family="binomial")
    assert_same(answer["icc"], made.icc())
    assert pd.DataFrame(answer["effects"])["quantity"].tolist() == made.effects("arm").tidy()["quantity"].tolist()
    words = ["--cluster", "school", "--wild-bootstrap", "arm[pilot]", "--joint-test", "arm", "--seed", "5"]
    answer = answer_of("score ~ arm + pretest", "pupils.csv", *words)
    fit = linear_model("score ~ arm + pretest", pupils)
    tested = wild_bootstrap(fit, "arm[pilot]", seed=5)
    (row,) = pd.DataFrame(answer["wild_bootstrap"]).to_dict("records")
    assert (row["p_value"], row["conf_low"]) == pytest.approx((tested.p_value, tested.conf_low), rel=1e-9)
    assert_same(answer["joint_tests"], fit.f_test("arm"))


@pytest.mark.usefixtures("folder")
def test_a_terminal_shows_sentences_and_tables_of_80_signs_with_every_term() -> None:
    words = ["--icc", "--profile", "--effects", "arm", "--joint-test", "arm", "--compare", "score ~ arm + (1 | school)"]
    of_scores = CliRunner().invoke(crocoos, ["fit", SCORES, "pupils.csv", *words]).output
    words = ["--family", "binomial", "--effects", "arm", "--icc"]
    of_leaving = CliRunner().invoke(crocoos, ["fit", "left ~ arm + (1 | school)", "pupils.csv", *words]).output
    for text in (of_scores, of_leaving):
        assert max(map(len, text.splitlines())) <= 80
    for term in ("(Intercept)", "arm[pilot]", "pretest", "192 rows in 16 groups", "Joint tests:", "Likelihood-ratio"):
        assert term in of_scores
    for quantity in ("risk_difference", "risk_ratio", "number_needed_to_treat"):
        assert quantity in of_leaving


@pytest.mark.usefixtures("folder")
def test_the_effects_are_written_to_a_file_that_is_none_of_the_data(pupils: pd.DataFrame) -> None:
    done = CliRunner().invoke(crocoos, ["fit", SCORES, "pupils.csv", "--output", "effects.csv"])
    assert "The effects are in effects.csv." in done.output
    written = pd.read_csv("effects.csv", keep_default_na=False)
    np.testing.assert_allclose(written["estimate"], mixed_model(SCORES, pupils).tidy()["estimate"], rtol=1e-12)
    before = Path("pupils.csv").read_bytes()
    refused = error_of(SCORES, "pupils.csv", "--output", "./pupils.csv")
    assert (refused.problem, get_exit_code(refused)) == ("is one of the files with data.", 4)
    assert Path("pupils.csv").read_bytes() == before


@pytest.mark.usefixtures("folder")
def test_an_answer_from_simulated_data_says_that_they_are(pupils: pd.DataFrame) -> None:
    pupils.assign(simulated="yes").to_csv("pupils.csv", index=False)
    assert answer_of(SCORES, "pupils.csv")["practice"] is True
    assert CliRunner().invoke(crocoos, ["fit", SCORES, "pupils.csv"]).output.startswith("[")


ERRORS: dict[str, tuple[list[str], str, int]] = {
    "an unknown column": ([SCORES.replace("arm", "armm"), "pupils.csv"], "Did you mean 'arm'?", 6),
    "no tilde": (["score", "pupils.csv"], "Write it as 'outcome ~ terms'", 6),
    "a term that is no call": (["score ~ __import__('os').getcwd() + (1 | school)", "pupils.csv"], "cannot be read", 6),
    "no column": (["score ~ 0 + (1 | school)", "pupils.csv"], "Leave the intercept in", 6),
    "no column of another family": (["left ~ 0 + (1 | school)", "pupils.csv", "--family", "binomial"],
                                    "Leave the intercept in", 6),
    "no column of least squares": (["score ~ -1", "pupils.csv", "--cluster", "school"], "Leave the intercept in", 6),
    "an open bracket": (["score ~ (arm", "pupils.csv"], "Close every bracket.", 6),
    "no cluster": (["score ~ arm", "pupils.csv"], "or --cluster school.", 6),
    "an unknown cluster": (["score ~ arm", "pupils.csv", "--cluster", "scool"], "Did you mean 'school' or 'score'?", 6),
    "an unknown family": ([SCORES, "pupils.csv", "--family", "normal"], "Use one of gaussian, binomial,", 6),
    "an unknown link": (["left ~ arm + (1 | school)", "pupils.csv", "--family", "binomial", "--link", "probit"],
                        "Use one of logit, cloglog", 6),
    "an unknown kind of error": ([SCORES, "pupils.csv", "--se-type", "CR9"], "Use one of model, CR0", 6),
    "another kind of error": (["score ~ arm", "pupils.csv", "--cluster", "school", "--se-type", "model"],
                              "Use one of CR0, CR1, CR1S", 6),
    "an unknown method": ([SCORES, "pupils.csv", "--df-method", "none"], "Use one of kenward_roger", 6),
    "an unknown factor": ([SCORES, "pupils.csv", "--effects", "sex"], "'sex'", 6),
    "an unknown term": (["score ~ arm", "pupils.csv", "--cluster", "school", "--wild-bootstrap", "arm"],
                        "Use one of: (Intercept), arm[pilot].", 6),
    "a family without random terms": (["left ~ arm", "pupils.csv", "--family", "binomial"], "(1 | school)", 6),
    "formulas that are not nested": ([SCORES, "pupils.csv", "--compare", SCORES], "Put the smaller first.", 6),
    "an outcome that does not vary": (["same ~ arm + (1 | school)", "same.csv"], "Mend the data or the model.", 6),
    "an outcome with a word": ([SCORES, "word.csv"], "word.csv, row 3, column 'score': 'ten'", 4),
    "a missing file": ([SCORES, "nowhere.csv"], "There is no such file.", 4),
    "an empty file": ([SCORES, "empty.csv"], "It is empty.", 4),
    "a file with a header alone": ([SCORES, "header.csv"], "It has no row below its header.", 4),
    "two columns of one name": ([SCORES, "twice.csv"], "It has two columns 'arm'. Rename one of them.", 4),
    "a damaged Parquet file": ([SCORES, "damaged.parquet"], "not that of a Parquet file", 4),
    "a part with fewer columns": ([SCORES, "pupils.csv", "fewer.csv"], "has no column 'pretest', which another", 4),
    "parts of other types": ([SCORES, "pupils.csv", "words.csv"], "numbers in one part and text in another.", 4),
    "sums of parts with other levels": ([SCORES, "--by-parts", "one_arm.csv", "other_arm.csv"],
                                        "Leave --by-parts out", 6),
}  # fmt: skip
"""A wrong call or file, what is said of it, and the exit code."""


@pytest.mark.parametrize("fault", ERRORS)
def test_an_error_says_what_to_do(fault: str, folder: Path, pupils: pd.DataFrame) -> None:
    pupils.assign(same=1).to_csv("same.csv", index=False)
    pupils.astype({"score": object}).assign(score=lambda f: f["score"].where(f.index != 1, "ten")).to_csv("word.csv")
    pupils.drop(columns="pretest").to_csv("fewer.csv", index=False)
    pupils.assign(pretest="high").to_csv("words.csv", index=False)
    pupils.loc[pupils["arm"] == "pilot"].to_csv("one_arm.csv", index=False)
    pupils.loc[pupils["arm"] != "pilot"].to_csv("other_arm.csv", index=False)
    for name, text in {"empty.csv": "", "header.csv": "arm,score\n", "twice.csv": "arm,arm\n1,2\n"}.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "damaged.parquet").write_bytes(b"PAR1 and no more")
    words, said, code = ERRORS[fault]
    error = error_of(*words)
    assert said in str(error), str(error)
    assert get_exit_code(error) == code


CALLS = {
    "linear": ["score ~ arm", "--cluster", "school"],
    "multilevel": [SCORES],
    "outcome": ["left ~ arm + (1 | school)", "--family", "binomial"],
}
VALUES = {"n_nodes": ["7"], "joint_test": ["arm"], "compare": ["score ~ (1 | school)"]}
FLAGS = ("ml", "icc", "profile", "by_parts")


@pytest.mark.parametrize("name", BELONGS)
@pytest.mark.usefixtures("folder")
def test_an_option_that_does_not_belong_to_the_model_is_refused(name: str) -> None:
    assert name in Wishes.__annotations__
    option = f"--{name.replace('_', '-')}"
    for kind in set(KINDS) - set(BELONGS[name]):
        words = [option, *([] if name in FLAGS else VALUES.get(name, ["school"]))]
        error = error_of(*CALLS[kind], "pupils.csv", *words)
        assert error.place == option
        assert f"Leave {option} out" in error.remedy


@pytest.mark.usefixtures("folder")
def test_the_recipe_of_the_readme_runs() -> None:
    text = (ROOT / "analysis" / "README.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"## From a file, without a program\n(.*?)\n## ", text, flags=re.DOTALL)
    calls = [line for line in section.splitlines() if line.startswith("crocoos fit ")]
    assert len(calls) >= 4
    for call in calls:
        done = CliRunner().invoke(crocoos, shlex.split(call, comments=True)[1:])
        assert done.exit_code == 0, f"{call}: {done.output}{done.exception}"
