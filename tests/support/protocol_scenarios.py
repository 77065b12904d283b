"""Changes that give a protocol each of its possible problems, and by hand what remedies say that is not mechanical."""

from __future__ import annotations

from tests.support.protocol_changes import (
    ARMS,
    BINARY,
    CONSTRAINED,
    EXAM_FIELDS,
    FACTORS,
    MATCHED,
    MINIMISED,
    PUPIL_ID,
    SECOND,
    STANDARD,
    TIMED,
    WEDGE,
    Scenario,
    add,
    all_of,
    arms,
    drop,
    exam,
    field,
    own,
    put,
    rule,
)

KINDS_OF_VALUES = {
    "unknown key": Scenario(put("outcomes.0.knd", "binary"), (drop("outcomes.0.knd"),)),
    "misspelt key": Scenario(
        all_of(put("outcomes.0.descripton", "x"), drop("outcomes.0.description")),
    ),
    "missing key": Scenario(drop("outcomes.0.kind"), (put("outcomes.0.kind", "binary"),)),
    "unknown value": Scenario(put("design.kind", "lottery")),
    "misspelt value": Scenario(put("design.kind", "stratifed")),
    "number for text": Scenario(put("trial.funder", 5), (put("trial.funder", "5"),)),
    "text for a whole number": Scenario(put("inference.n_draws", "99"), (put("inference.n_draws", 99),)),
    "text for a number": Scenario(put("signals.capacity", "0.2"), (put("signals.capacity", 0.2),)),
    "text for true or false": Scenario(put("linking.by_name", "true"), (put("linking.by_name", True),)),
    "text for a list": Scenario(put("analyses.0.covariates", "gender"), (put("analyses.0.covariates", ["gender"]),)),
    "table for a list of tables": Scenario(put("design.arms", {"name": "control"}), (arms(ratio=[1, 1]),)),
    "text for names and values": Scenario(
        put("outcomes.0.missing_where", "no"), (put("outcomes.0.missing_where", {"destination_confirmed": ["no"]}),)
    ),
    "text for a table": Scenario(put("schools", "schools.csv"), (put("schools", {"file": "schools.csv"}),)),
    "text for an entry": Scenario(add("waves", "late"), (put("waves.2", {"name": "late", "label": "Late"}),)),
    "empty text": Scenario(put("trial.title", " "), (put("trial.title", "A trial"),)),
    "not enough": Scenario(put("reports.disclosure_threshold", 2), (put("reports.disclosure_threshold", 3),)),
    "above": Scenario(put("inference.conf_level", 0.5), (put("inference.conf_level", 0.51),)),
    "too much": Scenario(put("design.arms.0.ratio", 101), (put("design.arms.0.ratio", 100),)),
    "below": Scenario(put("inference.conf_level", 1.0), (put("inference.conf_level", 0.99),)),
    "one arm": Scenario(drop("design.arms.1"), (add("design.arms", ARMS[1]),)),
    "two conditions": Scenario(
        own(field("x", asked_if={"gender": ["boy"], "consent": ["yes"]})),
        (put("tables.pupil.fields.0.asked_if", {"gender": ["boy"]}),),
    ),
    "name with a space": Scenario(put("waves.1.name", "Follow up"), (put("waves.1.name", "followup"),)),
    "country in small letters": Scenario(
        put("countries.hr", "Croatia"), (all_of(drop("countries.hr"), put("countries.HR", "Croatia")),)
    ),
    "no day of the calendar": Scenario(
        put("waves.0.opens", "2027-02-30"), (put("waves.0.opens", "2027-10-05"), drop("waves.0.opens"))
    ),
    "wave that closes before it opens": Scenario(
        all_of(put("waves.0.opens", "2027-10-05"), put("waves.0.closes", "2027-10-01")),
        (all_of(put("waves.0.opens", "2027-10-01"), put("waves.0.closes", "2027-10-05")),),
    ),
    "no date": Scenario(
        put("privacy.retain_until", "2031"),
        (put("privacy.retain_until", "2031-08-31"), put("privacy.retain_until", "")),
    ),
}

NAMES = {
    "language without texts": Scenario(put("reports.languages", ["en", "hu"]), (put("reports.languages", ["en"]),)),
    "language twice": Scenario(put("reports.languages", ["en", "en"]), (put("reports.languages", ["en"]),)),
    "outcome twice": Scenario(
        add("outcomes", {**SECOND, "name": "absences", "wave": "followup", "field": "lateness"}),
        (put("outcomes.5.name", "lateness"),),
    ),
    "covariate twice": Scenario(
        add("covariates", {"name": "gender", "label": "Again"}),
        (all_of(put("covariates.8.name", "sex"), put("covariates.8.field", "gender")),),
    ),
    "wave twice": Scenario(add("waves", {"name": "followup", "label": "Later"}), (put("waves.2.name", "later"),)),
    "outcome and covariate": Scenario(
        put("covariates.7.name", "absences"),
        (put("covariates.7.name", "absences_before"),),
        setting=put("analyses.7.covariates", ["gender"]),
    ),
    "reserved outcome": Scenario(
        put("outcomes.2.name", "arm"), (put("outcomes.2.name", "other"),), setting=all_of(drop("analyses.5"))
    ),
    "reserved covariate": Scenario(
        add("covariates", {"name": "wave", "label": "x", "field": "grade"}), (put("covariates.8.name", "grade"),)
    ),
    "arm called any": Scenario(
        all_of(arms(ratio=[1, 1, 1]), put("design.arms.2.name", "any")), (put("design.arms.2.name", "full"),)
    ),
    "unknown wave of a field": Scenario(own(field("hobby", waves=["folowup"]))),
    "unknown wave of a version": Scenario(put("tables.pupil.earlier", [{"name": "old", "waves": ["basline"]}])),
    "unknown field left out": Scenario(put("tables.pupil.without", ["clas"])),
    "unknown field of a key": Scenario(exam(key=["school_id", "pupil_id", "pints"])),
    "unknown table of a rule": Scenario(put("inbox.0.table", "pupils")),
    "unknown wave of a rule": Scenario(put("inbox.0.wave", "basline")),
    "two rules of the same files": Scenario(
        lambda values: values["inbox"].append({**values["inbox"][0], "school_from": "file"}),
        (drop("inbox.-1"), put("inbox.-1.pattern", "elsewhere/*"), put("inbox.-1.sheet", "Second")),
    ),
    "unknown field of a header": Scenario(put("inbox.0.headers", {"Kod": "pupil_idd"})),
    "unknown field across": Scenario(put("inbox.1.wide", {"across": "mnth"})),
    "unknown field of wide values": Scenario(put("inbox.1.wide", {"across": "month", "field": "absences_unjustifed"})),
    "header of no month": Scenario(
        put("inbox.1.wide", {"across": "month", "columns": {"I": "September"}}),
        (put("inbox.1.wide", {"across": "month", "columns": {"I": "2026-09"}}),),
    ),
    "header of no answer": Scenario(
        put(
            "inbox.2.wide",
            {"across": "term", "columns": {"I": "frst"}},
        ),
        setting=all_of(
            exam(
                key=["school_id", "pupil_id", "term"],
                fields=[*EXAM_FIELDS, field("term", "code", required=True, codes=[{"name": "first"}])],
            ),
            put("inbox.2.table", "exam"),
        ),
    ),
    "header of no wave": Scenario(
        all_of(put("inbox.1.wide", {"across": "wave", "columns": {"I": "basline"}}), drop("inbox.1.wave"))
    ),
    "a wave beside columns of waves": Scenario(put("inbox.1.wide", {"across": "wave"})),
    "columns of waves of a table without": Scenario(put("inbox.15.wide", {"across": "wave"})),
    "columns of a table of pupils": Scenario(put("inbox.0.wide", {"across": "grade"})),
    "class of a table without": Scenario(put("inbox.15.class_from", "sheet")),
    "unknown wave of the population": Scenario(put("population.wave", "basline")),
    "unknown table of the population": Scenario(put("population.table", "pupils")),
    "unknown table of an outcome": Scenario(put("outcomes.0.table", "statu")),
    "unknown wave of an outcome": Scenario(put("outcomes.0.wave", "folowup")),
    "unknown item reversed": Scenario(put("outcomes.1.reverse", ["engagment_2"])),
    "item reversed of no scale": Scenario(put("outcomes.3.reverse", ["average_mark"])),
    "unknown field of an outcome": Scenario(put("outcomes.0.field", "staus")),
    "unknown field of missing": Scenario(put("outcomes.0.missing_where", {"destination_confirmd": ["no"]})),
    "unknown answer": Scenario(put("outcomes.0.event", ["left_erly"])),
    "answer of a number": Scenario(put("outcomes.0.event", ["high"]), setting=BINARY),
    "unknown outcome": Scenario(put("analyses.0.outcome", "drpout")),
    "unknown covariate": Scenario(put("analyses.0.covariates", ["gendr"])),
    "unknown start": Scenario(put("design.arms.1.starts", "folowup"), setting=WEDGE),
    "unknown table without a likeness": Scenario(put("inbox.0.table", "zzz")),
    "a covariate where there is none": Scenario(
        put("analyses.0.covariates", ["gender"]),
        setting=lambda values: [
            values.update(covariates=[]),
            *(one.update(covariates=[]) for one in values["analyses"]),
        ],
    ),
}

DESIGNS = {
    "a file outside the folder": Scenario(put("schools.file", "../schools.csv"), (put("schools.file", "schools.csv"),)),
    "recorded without a file": Scenario(put("design.kind", "recorded"), (put("design.allocation", "drawn.csv"),)),
    "a file beside a draw": Scenario(put("design.allocation", "drawn.csv"), (put("design.kind", "recorded"),)),
    "stratum twice": Scenario(put("design.strata", ["type", "type"]), (put("design.strata", ["type"]),)),
    "units beside a draw": Scenario(
        put("design.units", "classes.csv"),
        (all_of(put("design.kind", "classes"), put("design.strata", [])), drop("design.units")),
    ),
    "classes without units": Scenario(
        put("design.kind", "classes"), (put("design.units", "classes.csv"), put("design.kind", "stratified"))
    ),
    "start without a schedule": Scenario(
        put("design.arms.1.starts", "followup"),
        (put("design.kind", "waiting_list"), put("design.kind", "stepped_wedge")),
    ),
    "factor of one arm": Scenario(
        put("design.arms.1.factors", ["a"]), (all_of(put("design.kind", "factorial"), FACTORS),)
    ),
    "three arms on a waiting list": Scenario(
        all_of(put("design.kind", "waiting_list"), arms(starts=[None, "followup", "baseline"])),
        (put("design.kind", "stepped_wedge"), drop("design.arms.2")),
    ),
    "arms out of order": Scenario(
        all_of(put("design.kind", "stepped_wedge"), arms(starts=[None, "baseline", "followup"])),
        (arms(starts=[None, "followup", "baseline"]),),
    ),
    "arm that never starts": Scenario(put("design.kind", "stepped_wedge"), (put("design.arms.1.starts", "followup"),)),
    "factors that do not cross": Scenario(
        all_of(put("design.kind", "factorial"), arms(factors=[None, ["a"], ["b"], ["a"]])), (FACTORS,)
    ),
    "nobody has started": Scenario(
        all_of(put("analyses.0.outcome", "late")),
        (put("analyses.0.outcome", "dropout"),),
        setting=all_of(WEDGE, add("outcomes", {**SECOND, "name": "late", "wave": "baseline", "field": "lateness"})),
    ),
    "everybody has started": Scenario(
        all_of(
            *(drop("analyses.1") for _ in range(7)),
            put("design.kind", "waiting_list"),
            arms(starts=["followup", "baseline"]),
        ),
        (
            all_of(
                add("outcomes", {**SECOND, "name": "late", "wave": "baseline", "field": "lateness"}),
                put("analyses.0.outcome", "late"),
            ),
        ),
    ),
    "stratum that is an identifier": Scenario(
        put("design.strata", ["school_id"]), (put("design.strata", ["country"]),)
    ),
    "strata of a complete draw": Scenario(
        put("design.kind", "complete"), (drop("design.strata"), put("design.kind", "stratified"))
    ),
    "misfits of a complete draw": Scenario(
        put("design.misfits", "strata"),
        (put("design.kind", "stratified"), drop("design.misfits")),
        setting=all_of(put("design.kind", "complete"), drop("design.strata")),
    ),
    "constrained simple draw": Scenario(
        all_of(put("design.kind", "simple"), drop("design.strata"), CONSTRAINED), (put("design.kind", "complete"),)
    ),
    "matching of strata": Scenario(put("design.matching", {"variables": ["size"]}), (drop("design.matching"), MATCHED)),
    "matched on nothing": Scenario(
        put("design.kind", "matched"), (MATCHED, put("design.kind", "stratified")), setting=drop("design.strata")
    ),
    "sets of five": Scenario(
        put("design.arms.1.ratio", 4),
        (put("design.arms.1.ratio", 1), put("design.arms.1.ratio", 2), arms(ratio=[1, 1, 1]), arms(ratio=[2, 1])),
        setting=MATCHED,
    ),
    "stratum of a reserved name": Scenario(add("design.strata", "matched_set"), (put("design.strata", ["pairs"]),)),
    "minimisation of strata": Scenario(
        put("design.minimisation", {"chance": 80}), (MINIMISED, drop("design.minimisation"))
    ),
    "minimisation without strata": Scenario(
        drop("design.strata"), (put("design.strata", ["type"]),), setting=MINIMISED
    ),
    "two limits": Scenario(
        put("design.constraint.at_most", 1.0),
        (drop("design.constraint.at_most"), drop("design.constraint.best_share")),
        setting=CONSTRAINED,
    ),
    "no limit": Scenario(
        drop("design.constraint.best_share"),
        (
            put("design.constraint.best_share", 0.1),
            put("design.constraint.at_most", 1.0),
            put("design.constraint.limits", {"size": 0.2}),
        ),
        setting=CONSTRAINED,
    ),
    "unknown category": Scenario(
        put("design.constraint.categories", ["type"]),
        (add("design.constraint.variables", "type"),),
        setting=CONSTRAINED,
    ),
    "unknown limit": Scenario(
        put("design.constraint.limits", {"type": 0.5}),
        (add("design.constraint.variables", "type"),),
        setting=CONSTRAINED,
    ),
    "infinite limit": Scenario(
        put("design.constraint.limits", {"size": float("inf")}),
        (put("design.constraint.limits", {"size": 0.0}),),
        setting=CONSTRAINED,
    ),
    "infinite distance": Scenario(
        put("design.matching.limit", float("inf")),
        (put("design.matching.limit", 0.5), drop("design.matching.limit")),
        setting=MATCHED,
    ),
    "order by identifier": Scenario(
        put("design.minimisation", {"order": "school_id"}),
        (put("design.minimisation", {"order": "joined"}),),
        setting=MINIMISED,
    ),
    "cut of no stratum": Scenario(
        put("design.cuts", {"size": [300.0]}), (add("design.strata", "size"), drop("design.cuts.size"))
    ),
    "cuts out of order": Scenario(
        put("design.cuts", {"size": [300.0, 200.0]}),
        (put("design.cuts", {"size": [200.0, 300.0]}),),
        setting=add("design.strata", "size"),
    ),
    "variable that is an identifier": Scenario(
        put("design.matching.variables", ["school_id"]), (put("design.matching.variables", ["size"]),), setting=MATCHED
    ),
    "variable twice": Scenario(
        put("design.matching.variables", ["size", "size"]),
        (put("design.matching.variables", ["size"]),),
        setting=MATCHED,
    ),
}

TABLES = {
    "field twice": Scenario(own(field("x"), field("x")), (own(field("x")),)),
    "code without codes": Scenario(
        own(field("x", "code")), (own(field("x", "code", codes=[{"name": "a"}])), own(field("x")))
    ),
    "standard key": Scenario(put("tables.pupil.key", ["school_id"])),
    "standard about": Scenario(put("tables.pupil.about", "school")),
    "standard waves": Scenario(put("tables.pupil.by_wave", False)),
    "check digits that nobody knows": Scenario(
        own(PUPIL_ID | {"check_digits": "national"}),
        (
            own(PUPIL_ID | {"check_digits": {"HU": "national"}}),
            own(PUPIL_ID | {"check_digits": {"HU": "national", "XK": "luhn"}}),
        ),
        setting=put("countries.XK", "Kosovo"),
    ),
    "check digits of no known kind": Scenario(
        own(PUPIL_ID | {"check_digits": "mod_11"}), (own(PUPIL_ID | {"check_digits": "mod_11_10"}),)
    ),
    "key left out": Scenario(put("tables.pupil.without", ["pupil_id"]), (put("tables.pupil.without", []),)),
    "own table without a field": Scenario(exam(without=["points"])),
    **{
        f"own table, no {key}": Scenario(exam(**{key: None}), (exam(), STANDARD))
        for key in ("about", "by_wave", "key", "label")
    },
    "own table, no fields": Scenario(exam(fields=None, key=["school_id"]), (exam(), STANDARD)),
    "wave of a table without": Scenario(put("inbox.15.wave", "followup")),
    "linking without names": Scenario(
        put("linking.by_name", True),
        (drop("tables.pupil.without"), put("linking.by_name", False)),
        setting=put("tables.pupil.without", ["name"]),
    ),
    "linking a list collected once": Scenario(
        put("linking.by_name", True),
        (put("linking.by_name", False),),
        setting=all_of(exam(by_wave=False, fields=[*EXAM_FIELDS, field("name")]), put("population", {"table": "exam"})),
    ),
    "consent of no field": Scenario(
        put("privacy.consent", "agreed"),
        (own(field("agreed", "yes_no")), put("privacy.consent", "consent"), put("privacy", {})),
    ),
    "silence without a ground": Scenario(
        put("privacy.consent_model", "opt_out"),
        (put("privacy.legal_basis", "Public task, Article 6 (1) e GDPR"), put("privacy.consent_model", "opt_in")),
    ),
    "consent as text": Scenario(own(field("consent")), (own(field("consent", "yes_no")),)),
    "wave of a measure without": Scenario(
        put("covariates.0.wave", "baseline"),
    ),
    "field and items": Scenario(
        put("outcomes.1.field", "leave_intent"), (drop("outcomes.1.field"), drop("outcomes.1.items"))
    ),
    "least answered of one field": Scenario(put("outcomes.3.least_answered", 0.8)),
    "summary of one row": Scenario(put("outcomes.3.summary", "max")),
    "reversed without limits": Scenario(
        put("outcomes.1.reverse", ["engagement_1"]),
        (own(field("engagement_1", "number", minimum=1, maximum=5), table="survey"),),
        setting=own(field("engagement_1", "number"), table="survey"),
    ),
    "not asked in its wave": Scenario(own(field("prior_average", "number", waves=["followup"]))),
    "outcome of schools": Scenario(
        all_of(put("outcomes.4.table", "implementation"), put("outcomes.4.field", "team_meetings")),
        (all_of(put("outcomes.4.table", "signals"), put("outcomes.4.field", "lateness")),),
    ),
    "outcome without a wave": Scenario(drop("outcomes.4.wave"), (put("outcomes.4.wave", "followup"),)),
    "binary without words": Scenario(
        drop("outcomes.0.event_words"), (put("outcomes.0.event_words", "left school early"),)
    ),
    "binary without an event": Scenario(put("outcomes.0.event", [])),
    "binary number": Scenario(
        own(field("rate", "number"), table="status"),
        (
            own(field("rate", "whole_number", minimum=0, maximum=1), table="status"),
            own(field("rate", "yes_no"), table="status"),
            all_of(
                own(field("rate", "code", codes=[{"name": "high"}, {"name": "low"}]), table="status"),
                put("outcomes.0.event", ["high"]),
            ),
        ),
        setting=BINARY,
    ),
    "binary scale": Scenario(
        all_of(put("outcomes.1.kind", "binary"), put("outcomes.1.event_words", "felt at home")),
        (
            all_of(drop("outcomes.1.items"), put("outcomes.1.field", "at_home")),
            # The words went with the kind; with it they are a problem that says so.
            all_of(put("outcomes.1.kind", "continuous"), drop("outcomes.1.event_words")),
        ),
        setting=all_of(
            own(field("at_home", "yes_no"), table="survey"),
            drop("analyses.4"),
        ),
    ),
    "binary text": Scenario(put("outcomes.0.field", "hobby"), (put("outcomes.0.field", "rate"),), setting=BINARY),
    "mean of text": Scenario(
        put("outcomes.3.field", "class_then"),
        (drop("outcomes.3.field"),),
        setting=own(field("class_then"), table="status"),
    ),
    "mean of codes": Scenario(
        put("outcomes.3.field", "status"),
        (
            drop("outcomes.3.field"),
            all_of(
                put("outcomes.3.kind", "binary"),
                put("outcomes.3.event", ["left_early"]),
                put("outcomes.3.event_words", "left"),
            ),
        ),
    ),
    **{
        f"mean with {key}": Scenario(put(f"outcomes.3.{key}", value))
        for key, value in (
            ("event", ["left_early"]),
            ("event_words", "left"),
            ("event_people", "leavers"),
            ("missing", ["unknown"]),
            ("missing_where", {"status": ["unknown"]}),
        )
    },
    **{
        f"time without its {key}": Scenario(
            drop(f"outcomes.5.{key}"), (put(f"outcomes.5.{key}", value),), setting=TIMED
        )
        for key, value in (("time", "months"), ("horizon", 9), ("unit", "months"))
    },
    **{
        f"{key} of a mean": Scenario(put(f"outcomes.3.{key}", value), (drop(f"outcomes.3.{key}"),))
        for key, value in (("time", "points"), ("horizon", 9))
    },
    "time of no field": Scenario(put("outcomes.5.time", "monts"), (put("outcomes.5.time", "months"),), setting=TIMED),
    "time that may be below zero": Scenario(
        put("outcomes.5.time", "seen"), (put("tables.status.fields.1.minimum", 0),), setting=TIMED
    ),
    "time of another wave": Scenario(
        put("outcomes.5.time", "began"), (put("outcomes.5.time", "months"),), setting=TIMED
    ),
    "horizon beyond all times": Scenario(
        put("outcomes.5.horizon", 13),
        (put("outcomes.5.horizon", 12), put("tables.status.fields.0.maximum", 24)),
        setting=TIMED,
    ),
    "time with an assumption about the missing": Scenario(
        put("analyses.0.missing_outcome", "as_event"),
        (drop("analyses.0.missing_outcome"),),
        setting=all_of(TIMED, put("analyses.0.outcome", "leaving"), put("analyses.0.model", "survival_cluster")),
    ),
    "logistic mean": Scenario(
        put("analyses.4.model", "logistic_mixed"),
        (put("analyses.4.model", "linear_mixed"), put("analyses.4.model", "gee")),
    ),
    "count by the logistic model": Scenario(
        all_of(
            put("outcomes.4.kind", "count"), put("outcomes.4.summary", "sum"), put("analyses.7.model", "logistic_mixed")
        ),
        (
            put("analyses.7.model", "count_mixed"),
            put("analyses.7.model", "linear_mixed"),
            put("analyses.7.model", "linear_cluster"),
            put("analyses.7.model", "gee"),
        ),
    ),
    "option that a model has not": Scenario(
        put("analyses.4.options", {"nodes": 3}), (put("analyses.4.options", {"df_method": "satterthwaite"}),)
    ),
    "option with another word": Scenario(
        put("analyses.4.options", {"df_method": "kenward"}),
        (put("analyses.4.options.df_method", "satterthwaite"),),
    ),
    "level that is no number": Scenario(
        put("analyses.4.options", {"level": 2}), (put("analyses.4.options", {"level": "class"}),)
    ),
    "level that is no field of pupils": Scenario(
        put("analyses.4.options", {"level": "clas"}), (put("analyses.4.options", {"level": "class"}),)
    ),
    "level that is the school": Scenario(
        put("analyses.4.options", {"level": "school_id"}), (put("analyses.4.options", {"level": "class"}),)
    ),
    "level that is not asked when pupils are listed": Scenario(
        put("analyses.4.options", {"level": "group"}),
        (drop("analyses.4.options"),),
        setting=own(field("group", waves=["followup"])),
    ),
    "level that is a covariate": Scenario(
        all_of(add("covariates", {"name": "grade", "label": "Grade"}), put("analyses.4.options", {"level": "grade"})),
        (all_of(put("covariates.8.name", "year_group"), put("covariates.8.field", "grade")),),
    ),
    "option with no number": Scenario(
        put("analyses.1.options", {"n_nodes": 0}), (put("analyses.1.options.n_nodes", 1),)
    ),
    "link that is not of the kind": Scenario(
        all_of(put("analyses.4.model", "gee"), put("analyses.4.options", {"link": "log"})),
        (put("analyses.4.options.link", "identity"),),
    ),
    "count of a scale": Scenario(
        put("outcomes.1.kind", "count"),
        (put("outcomes.1.kind", "continuous"), all_of(drop("outcomes.1.items"), put("outcomes.1.field", "n_answers"))),
        setting=own(field("n_answers", "whole_number", minimum=0), table="survey"),
    ),
    "count below zero": Scenario(
        put("outcomes.3.kind", "count"),
        (put("tables.status.fields.0.minimum", 0),),
        setting=all_of(own(field("points", "whole_number"), table="status"), put("outcomes.3.field", "points")),
    ),
    "count that is a mean": Scenario(
        put("outcomes.4.kind", "count"),
        (put("outcomes.4.summary", "sum"), put("outcomes.4.summary", "max")),
    ),
    "ordinal of several items": Scenario(
        put("outcomes.1.kind", "ordinal"),
        (put("outcomes.1.kind", "continuous"), all_of(drop("outcomes.1.items"), put("outcomes.1.field", "n_answers"))),
        setting=own(field("n_answers", "whole_number", minimum=1, maximum=5), table="survey"),
    ),
    "ordinal without limits": Scenario(
        put("outcomes.3.kind", "ordinal"),
        (
            all_of(put("tables.status.fields.0.minimum", 1), put("tables.status.fields.0.maximum", 5)),
            all_of(
                put("tables.status.fields.0.type", "code"),
                put("tables.status.fields.0.codes", [{"name": name} for name in ("never", "sometimes", "often")]),
            ),
        ),
        setting=all_of(own(field("points", "whole_number"), table="status"), put("outcomes.3.field", "points")),
    ),
    "ordinal of two answers": Scenario(
        put("outcomes.3.kind", "ordinal"),
        (put("tables.status.fields.0.maximum", 2), put("outcomes.3.kind", "continuous")),
        setting=all_of(
            own(field("points", "whole_number", minimum=0, maximum=1), table="status"),
            put("outcomes.3.field", "points"),
        ),
    ),
    "ordinal with an event": Scenario(
        all_of(put("outcomes.3.kind", "ordinal"), put("outcomes.3.event_words", "belonged")),
        (drop("outcomes.3.event_words"),),
        setting=all_of(
            own(field("points", "whole_number", minimum=1, maximum=5), table="status"),
            put("outcomes.3.field", "points"),
        ),
    ),
    "ordinal that is a mean": Scenario(
        all_of(put("outcomes.4.kind", "ordinal"), put("outcomes.4.field", "points")),
        (put("outcomes.4.summary", "max"),),
        setting=own(field("points", "whole_number", minimum=1, maximum=5), table="signals"),
    ),
    "ordinal by the logistic model": Scenario(
        all_of(put("outcomes.3.kind", "ordinal"), put("analyses.6.model", "logistic_mixed")),
        (
            put("analyses.6.model", "ordinal_mixed"),
            put("analyses.6.model", "linear_mixed"),
            put("analyses.6.model", "linear_cluster"),
        ),
        setting=all_of(
            own(field("points", "whole_number", minimum=1, maximum=5), table="status"),
            put("outcomes.3.field", "points"),
        ),
    ),
    "nodes that are too few": Scenario(
        put("analyses.6.options", {"n_nodes": 4}),
        (put("analyses.6.options.n_nodes", 5),),
        setting=all_of(
            own(field("points", "whole_number", minimum=1, maximum=5), table="status"),
            put("outcomes.3.field", "points"),
            put("outcomes.3.kind", "ordinal"),
            put("analyses.6.model", "ordinal_mixed"),
        ),
    ),
    "event of a mean": Scenario(put("analyses.4.missing_outcome", "as_event")),
    "nothing primary": Scenario(put("analyses.0.role", "secondary"), (put("analyses.0.role", "primary"),)),
    "reserved column": Scenario(own(field("source_file")), (own(field("origin")),)),
    "own key without school": Scenario(exam(key=["points"], fields=[field("points", "number")]), (exam(),)),
    "key without the pupil": Scenario(exam(key=["school_id"]), (exam(),)),
    "key asked in some waves": Scenario(
        own(field("pupil_id", "identifier", waves=["baseline"])), (own(field("pupil_id", "identifier")),)
    ),
    "waves of a table without": Scenario(
        own(field("region", waves=["baseline"]), table="school"), (own(field("region"), table="school"),)
    ),
    "one header of two fields": Scenario(own(field("hobby", headers=["Grade"])), (own(field("hobby")),)),
    "school as text": Scenario(own(field("school_id")), (own(field("school_id", "identifier")),)),
    "pupil as text": Scenario(own(field("pupil_id")), (own(field("pupil_id", "identifier")),)),
    "version of a table without waves": Scenario(
        put("tables.costs.earlier", [{"name": "old", "waves": ["baseline"]}]), (put("tables.costs.earlier", []),)
    ),
    "two versions of a wave": Scenario(
        put("tables.pupil.earlier", [{"name": name, "waves": ["baseline"]} for name in ("old", "older")]),
        (put("tables.pupil.earlier", [{"name": "old", "waves": ["baseline"]}]),),
    ),
    "version of an unknown field": Scenario(
        put("tables.pupil.earlier", [{"name": "old", "waves": ["baseline"], "renamed": {"clas": "Form"}}]),
        (put("tables.pupil.earlier", [{"name": "old", "waves": ["baseline"], "renamed": {"class": "Form"}}]),),
    ),
    "recoded identifier": Scenario(
        put("tables.pupil.earlier", [{"name": "old", "waves": ["baseline"], "recoded": {"pupil_id": {"1": "2"}}}]),
        (put("tables.pupil.earlier.0.recoded", {"gender": {"1": "female"}}),),
    ),
    "recoded to nothing": Scenario(
        put("tables.pupil.earlier", [{"name": "old", "waves": ["baseline"], "recoded": {"gender": {"1": "femal"}}}]),
        (put("tables.pupil.earlier.0.recoded", {"gender": {"1": "female"}}),),
    ),
    "condition that cannot be": Scenario(
        own(field("x", asked_if={"hobby": ["a"]})), (own(field("x", asked_if={"gender": ["boy"]})),)
    ),
    "codes of yes and no": Scenario(
        own(field("x", "code", codes=[{"name": "a"}, {"name": "a"}])),
        (own(field("x", "code", codes=[{"name": "a"}, {"name": "b"}])),),
    ),
    "word of two codes": Scenario(
        own(field("x", "code", codes=[{"name": "a", "synonyms": ["c"]}, {"name": "b", "synonyms": ["c"]}])),
        (
            own(field("x", "code", codes=[{"name": "a", "synonyms": ["c"]}, {"name": "b"}])),
            own(field("x", "code", codes=[{"name": "a"}, {"name": "b"}])),
        ),
    ),
    "limits of text": Scenario(own(field("x", minimum=1.0)), (own(field("x", "number", minimum=1.0)), own(field("x")))),
    "pattern of a text": Scenario(
        own(field("x", pattern="[0-9]+")), (own(field("x")), own(field("x", "identifier", pattern="[0-9]+")))
    ),
    "pattern that is none": Scenario(
        own(field("x", "identifier", pattern="[")), (own(field("x", "identifier", pattern="7[0-9]{10}")),)
    ),
    "rule of no field": Scenario(rule("1 > 2"), (rule("grade > 2"),)),
    "question at no field": Scenario(rule("grade > 2", field="shoes"), (rule("grade > 2", field="class"),)),
    "minimum above maximum": Scenario(
        own(field("x", "number", minimum=3.0, maximum=1.0)), (own(field("x", "number", minimum=1.0, maximum=3.0)),)
    ),
}

SCENARIOS = {**KINDS_OF_VALUES, **NAMES, **DESIGNS, **TABLES}

SCHEMA = "the schema of the protocol refuses it"
CHECKED = "a check of the protocol states it first"
ALWAYS = "the protocol cannot state it"
OF_FRAMES = "it is about the sampling frame: see the remedies of the frame"
LIBRARY_ONLY = {
    "analysis/estimators/__init__.py, make_estimator: model '*' is unknown. Use one of *.": SCHEMA,
    "data_schema/fields.py, _find_contradictions: * * is not known. Use one of *.": SCHEMA,
    "data_schema/fields.py, _find_contradictions: it is no name for a column. Use a letter, then letters, digits and "
    "underscores.": SCHEMA,
    "data_schema/fields.py, _find_code_problems: it is of type * and has * codes. List codes for the types 'code' and "
    "'yes_no', and for no other.": CHECKED,
    "data_schema/fields.py, _find_code_problems: its codes are not 'yes' and 'no'. Use the type 'code' for other "
    "answers.": CHECKED,
    "data_schema/tables.py, __post_init__: it has two fields of one name. Name each field once.": CHECKED,
    "data_schema/tables.py, _check_versions: it names no wave. Name the waves whose files have the version.": SCHEMA,
    "data_schema/tables.py, extended: * cannot be left out; it has no such field. Check the spelling.": CHECKED,
    "randomisation/arms.py, __post_init__: * is not a name. Name each arm by a short text without spaces around "
    "it.": SCHEMA,
    "randomisation/arms.py, __post_init__: * is not a whole number from 1 to 1000. State ratios in whole numbers, such "
    "as 1 and 1 or 2 and 1, and leave out arms that get no school.": SCHEMA,
    "randomisation/designs/kind.py, check_enough: There are * arms and * schools. Recruit more schools or state fewer "
    "arms.": OF_FRAMES,
    "randomisation/canonical.py, check_columns_named: No variables are named. Name columns of the school frame, in a "
    "tuple.": SCHEMA,
    "randomisation/constraint.py, __post_init__: The score '*' is not known. Use l2, max_difference or "
    "mahalanobis.": SCHEMA,
    "randomisation/constraint.py, __post_init__: best_share is *. State a share such as 0.1.": SCHEMA,
    "randomisation/cuts.py, check_cuts: '*' is cut twice. Cut it once.": ALWAYS,
    "randomisation/cuts.py, check_cuts: * is not a tuple. State pairs of a column and its values.": ALWAYS,
    "randomisation/design.py, __post_init__: '*' is not known. Use one of *.": SCHEMA,
    "randomisation/design.py, __post_init__: * is not a tuple. Hand the columns over as a tuple.": ALWAYS,
    "randomisation/design.py, __post_init__: Fewer than two arms are stated. State two arms or more.": SCHEMA,
    "randomisation/design.py, _check_kind: The kind is '*', and a rule of minimisation is missing. State it "
    "with kind 'minimisation', and with no other.": ALWAYS,
    "randomisation/matching.py, __post_init__: The distance '*' is not known. Use standardised or mahalanobis.": SCHEMA,
    "randomisation/minimising.py, __post_init__: * is not from * to *. State one such as 80.": SCHEMA,
}
"""Texts that a protocol cannot produce, since something else is checked before; each with what that is."""
