"""certificate: a page about the draw for the meeting to sign, and the lists that letters to schools are made from."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evaluation.drawn import ALLOCATION, RECORD, read_draw_record, read_later_steps
from evaluation.frame import is_class_draw, read_draw_units, select_eligible_schools
from evaluation.mode import mark_practice_table
from evaluation.specifications import build_design
from evaluation.stages.agreement import read_allocation_frame, refuse_disagreement
from evaluation.stages.verify import filter_later_entries
from evaluation.stages.verify import verify_draw as verify
from evaluation.trial_log import DRAWS, LOG, Event, export_product_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from evaluation.folder import TrialFolder
    from randomisation.log import LogEntry
    from reports.sections.certificate import DrawFacts, LaterFact


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """The files that were made, in output/allocation."""

    folder: Path
    certificates: tuple[str, ...]
    letters: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Return the folder and its files as JSON values."""
        return {"folder": str(self.folder), "certificates": list(self.certificates), "letters": list(self.letters)}


def write_certificates(trial: TrialFolder) -> Certified:
    """Write the certificate in each language of the reports, and a list of schools for each arm's letters.

    Raises
    ------
    StaleError
        When no draw has been made, or it is not valid against the protocol and the list of schools of now.
    """
    from reports.documents import Document, write_pdf
    from reports.sections.certificate import build_certificate

    refuse_disagreement(f"the certificate and the letters in {trial.paths.letters}", verify(trial).problems)
    facts = draw_facts(trial)
    folder = trial.paths.letters
    certificates, letters = [], build_letter_lists(trial)
    with export_product_folder(trial, folder) as new:
        for language in trial.protocol.reports.languages:
            certificates.append(f"certificate.{language}.pdf")
            document = Document(blocks=build_certificate(facts, language), practice=trial.is_practice)
            write_pdf(document, new / certificates[-1], language=language)
        for name, content in letters.items():
            (new / name).write_bytes(content)
    return Certified(folder=folder, certificates=tuple(certificates), letters=tuple(letters))


def draw_facts(trial: TrialFolder) -> DrawFacts:
    """Return what the certificate states.

    Raises
    ------
    StaleError
        When no draw has been made.
    """
    from reports.sections.certificate import DrawFacts

    record = read_draw_record(trial)
    log = trial.log().entries
    draws = [entry for entry in log if entry.event in DRAWS]
    committed = draws[-1].detail.get("commitment_sha256", "") if draws else ""
    before = [
        entry for entry in log if entry.event == Event.COMMITTED and entry.detail["commitment_sha256"] == committed
    ]
    school = trial.tables["school"]
    labels = {name: school.field(name).label for name in school.names}
    return DrawFacts(
        title=trial.protocol.trial.title,
        record=replace(record, design=record.design.relabelled(build_design(trial.protocol).labels)),
        drawn_at=tuple((entry.time, entry.detail.get("reason", "")) for entry in draws),
        committed_at=before[-1].time if before else "",
        commitment_sha256=committed,
        is_log_known=trial.log().is_complete,
        seed_source=before[-1].detail.get("seed_source", "") if before else "",
        labels={name: labels[name][:1].lower() + labels[name][1:] for name in labels},
        value_labels=dict(trial.protocol.countries) if record.design.strata[:1] == ("country",) else {},
        later=tuple(_iterate_later_facts(trial, log)),
        command=check_command(trial, committed),
    )


def check_command(trial: TrialFolder, commitment_sha256: str = "") -> str:
    """Return the command, to be run in the trial's folder, that checks the draw and what came after it.

    Records of schools that came after the draw lie beside the first one, where the program finds them.
    """
    design = trial.protocol.design
    words = ["python", "verify_allocation.py", f"allocation/{RECORD}", trial.protocol.schools.file]
    words += ["--allocation", f"allocation/{ALLOCATION}", "--log", LOG]
    words += ["--units", design.units] if design.units else []
    words += ["--commitment", commitment_sha256] if commitment_sha256 else []
    return shlex.join(words)


def _iterate_later_facts(trial: TrialFolder, log: Sequence[LogEntry]) -> Iterator[LaterFact]:
    from reports.sections.certificate import LaterFact

    entries_by_record = {entry.detail.get("record_sha256"): entry for entry in filter_later_entries(log)}
    for step in read_later_steps(trial):
        entry = entries_by_record.get(step.sha256)
        later_record = step.late or step.replacement
        yield LaterFact(
            time=entry.time if entry is not None else "",
            seed=later_record.seed if later_record is not None else "",
            n_schools=len(step.late.schools) if step.late is not None else 0,
            reason=entry.detail.get("reason", "") if entry is not None else "",
        )


def build_letter_lists(trial: TrialFolder) -> dict[str, bytes]:
    """Return each arm's list of schools as CSV: everything that the frame knows of them, and their arm in words."""
    from data_schema.exports import encode_csv

    listed = read_draw_units(trial) if is_class_draw(trial) else select_eligible_schools(trial.schools()[0])
    frame = listed.drop(columns=["stratum", "arm", "arm_label"], errors="ignore").merge(
        read_allocation_frame(trial), on="school_id"
    )
    files = {}
    for arm in trial.protocol.design.arms:
        arm_schools = frame.loc[frame["arm"] == arm.name].assign(arm_label=arm.label)
        files[f"letters_{arm.name}.csv"] = encode_csv(mark_practice_table(trial, arm_schools.reset_index(drop=True)))
    return files
