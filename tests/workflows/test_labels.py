"""Archives that have some of the labels: what they lack is neither learned nor shown nor written."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from typer.testing import CliRunner

from scoring.artifact.saved_model import load_model
from scoring.cli import app
from scoring.errors import ModelError, RecordError
from scoring.model.score import Score, score_fields
from scoring.model.targets import TARGETS, Targets
from scoring.records.decode import decode_file
from scoring.settings import Settings, load_settings
from scoring.training.config import BoosterConfig, ModelConfig, SectionConfig, TrainConfig
from scoring.workflows.audit import audit
from scoring.workflows.compare import compare
from scoring.workflows.evaluate import evaluate
from scoring.workflows.explain import explain
from scoring.workflows.promote import promote
from scoring.workflows.suggest import suggest
from scoring.workflows.train import TrainOutcome, train
from tests.labelled_archives import write_archive
from tests.workflows.test_promote import GATE
from tests.workflows.test_train import Listener

pytestmark = pytest.mark.usefixtures("undrawn_plots")

NOW = datetime(2019, 1, 1, tzinfo=UTC)
FULL = ModelConfig()
QUICK = TrainConfig(
    name="quick",
    n_bootstrap=20,
    model=ModelConfig(
        quality=BoosterConfig(20, FULL.quality.params),
        spread=BoosterConfig(10, FULL.spread.params),
        forecast_ages_hours=(0.0, 24.0),
        sections=SectionConfig(design="shared"),
        n_folds=2,
    ),
)
CASES: list[Targets] = [("quality",), ("heat",), ("published",), ("quality", "published")]
SOME: list[Targets] = [*CASES, ("quality", "heat"), ("heat", "published")]


def stop(error: RecordError) -> None:
    raise error


class Case(NamedTuple):
    """A model, the archive that it was trained on, and later records with all labels."""

    targets: Targets
    archive: Path
    later: Path
    outcome: TrainOutcome
    notes: list[str]

    @property
    def model(self) -> str:
        return self.outcome.model


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Targets], Case]:
    made: dict[Targets, Case] = {}

    def case_of(targets: Targets) -> Case:
        if targets not in made:
            folder = tmp_path_factory.mktemp("-".join(targets))
            archive, later = write_archive(folder / "archive", targets), folder / "later"
            files = sorted(archive.iterdir())
            later.mkdir()
            complete = write_archive(folder / "complete", TARGETS)
            for file in files[120:]:
                file.rename(folder / file.name)
                shutil.copy(complete / file.name, later)
            listener = Listener()
            outcome = train(
                [str(archive)],
                config=QUICK,
                settings=load_settings(home=folder / "home", threads=1),
                now=NOW,
                is_tracked=False,
                on_fault=stop,
                reporter=listener,
            )
            made[targets] = Case(targets, archive, later, outcome, listener.notes)
        return made[targets]

    return case_of


@pytest.fixture(params=CASES, ids="+".join)
def case(request: pytest.FixtureRequest, cases: Callable[[Targets], Case]) -> Case:
    return cases(request.param)


def run(case: Case, *arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*arguments], env={"SCORING_HOME": str(case.archive.parent / "home")})
    assert done.exit_code == code, done.output
    return done.stdout


def labels_of(metrics: dict[str, float]) -> set[str]:
    names = {name.partition("_")[0] for name in metrics}
    return {"heat" if name == "lead" else name for name in names}


def test_training_says_which_labels_it_learns(case: Case) -> None:
    (note,) = [note for note in case.notes if note.startswith("labels: ")]
    assert re.findall(r"(\w+) \(120 records\)", note) == list(case.targets)
    absent = [name for name in TARGETS if name not in case.targets]
    assert note.endswith(f"; none of {' and '.join(absent)}")


def test_metrics_are_of_the_labels_of_the_model(case: Case) -> None:
    assert labels_of(case.outcome.metrics) == set(case.targets)
    for figures in case.outcome.evaluation.baselines.values():
        assert labels_of(figures) <= set(case.targets)
    for part in case.outcome.evaluation.slices:
        assert labels_of(part.figures) <= set(case.targets)


def test_targets_are_part_of_the_model_unless_it_has_all(case: Case, training: TrainOutcome) -> None:
    assert load_model(Path(case.model)).scorer.targets == case.targets
    manifest = json.loads(Path(case.model, "manifest.json").read_text("utf-8"))["manifest"]
    assert tuple(manifest["targets"]) == case.targets
    full = json.loads(Path(training.model, "manifest.json").read_text("utf-8"))["manifest"]
    assert "targets" not in full


def test_scores_have_what_the_model_has(case: Case) -> None:
    present = score_fields(case.targets)
    lines = run(case, "score", str(case.later), "--model", case.model, "--format", "jsonl").splitlines()
    for line in lines:
        score = json.loads(line)
        assert [name for name in score if score[name] is not None] == list(present)
        assert msgspec.convert(score, Score)
    header, *rows = run(case, "score", str(case.later), "--model", case.model, "--format", "csv").splitlines()
    assert header.split(",") == list(present)
    assert len(rows) == len(lines) == 80


def test_table_has_columns_of_the_labels_of_the_model(case: Case) -> None:
    head = run(case, "score", str(case.later), "--model", case.model, "--format", "table").partition("\n")[0]
    columns = {
        "heat": ["heat", "settles at", "lead"],
        "quality": ["quality", "90 % interval"],
        "published": ["published"],
    }
    for name, texts in columns.items():
        assert [text in head for text in texts] == [name in case.targets] * len(texts)


@pytest.mark.parametrize("has_labels", [False, True], ids=["empty", "labelled"])
def test_only_labels_of_the_model_are_written(case: Case, tmp_path: Path, has_labels: bool) -> None:
    folder = tmp_path / "news"
    if has_labels:
        shutil.copytree(case.later, folder)
    else:
        write_archive(folder, (), n_records=20, seed=7)
    before = {file.name: decode_file(file.read_bytes(), file.name).labels for file in folder.iterdir()}
    run(case, "score", str(folder), "--model", case.model, "--write", "--overwrite")
    changed = set()
    for file in folder.iterdir():
        labels = decode_file(file.read_bytes(), file.name).labels
        changed |= {name for name in TARGETS if getattr(labels, name) != getattr(before[file.name], name)}
        for name in TARGETS:
            if name in case.targets:
                assert getattr(labels, name) is not None
            else:
                assert getattr(labels, name) == getattr(before[file.name], name)
    assert changed == set(case.targets)


def test_evaluation_of_records_with_all_labels(case: Case, settings: Settings, tmp_path: Path) -> None:
    result = evaluate(
        [str(case.later)],
        model=case.model,
        settings=settings,
        now=NOW,
        output=tmp_path / "evaluation",
        is_tracked=False,
        on_fault=stop,
    )
    assert result.n_records == 80
    assert labels_of({name: figure.value for name, figure in result.evaluation.figures.items()}) == set(
        case.targets
    )
    assert (tmp_path / "evaluation" / "report.html").is_file()
    plots = {path.stem for path in (tmp_path / "evaluation").rglob("*.svg")} | {
        path.stem for path in (tmp_path / "evaluation").rglob("*.png")
    }
    assert ("quality" in plots, "heat" in plots) == ("quality" in case.targets, "heat" in case.targets)


def test_records_without_the_label_cannot_evaluate(
    cases: Callable[[Targets], Case], settings: Settings
) -> None:
    with pytest.raises(ModelError, match="no records with a published label and a date to evaluate on"):
        evaluate(
            [str(cases(("quality",)).archive)],
            model=cases(("published",)).model,
            settings=settings,
            now=NOW,
            is_tracked=False,
            on_fault=stop,
        )


def test_explanation_is_of_the_labels_of_the_model(case: Case, settings: Settings) -> None:
    file = str(next(iter(sorted(case.later.iterdir()))))
    explanation = explain(file, model=case.model, settings=settings)
    shown = {"quality": "quality", "lead": "heat", "heat": "heat", "published": "published"}
    assert list(explanation.reasons) == [name for name, label in shown.items() if label in case.targets]
    texts = [reason.text for reasons in explanation.reasons.values() for reason in reasons]
    if "quality" not in case.targets:
        assert not any(
            "quality of the record" in text or "mean quality of the provider" in text for text in texts
        )
    for change in explanation.changes:
        assert (change.quality is None, change.heat is None, change.published is None) == tuple(
            name not in case.targets for name in TARGETS
        )
    assert run(case, "explain", file, "--model", case.model)


def test_gate_has_a_metric_that_the_model_has(case: Case, settings: Settings) -> None:
    outcome = promote(case.model, on=[str(case.later)], gate=GATE, settings=settings, now=NOW, on_fault=stop)
    metric = "quality_mae" if "quality" in case.targets else "published_brier"
    metric = "heat_mae" if case.targets == ("heat",) else metric
    assert {check.figure for check in outcome.verdict.checks} == {metric}
    assert outcome.is_promoted or case.targets == ("published",)  # 120 records are few for a classifier


def test_two_models_are_compared_by_what_both_have(
    case: Case, cases: Callable[[Targets], Case], settings: Settings, training: TrainOutcome
) -> None:
    (comparison,) = compare(
        [training.model, case.model, str(case.later)], settings=settings, limit=2, on_fault=stop
    )
    assert labels_of(dict.fromkeys(comparison.differences, 0.0)) == set(case.targets)
    assert run(case, "compare", training.model, case.model, str(case.later))


def test_models_without_a_common_label_cannot_be_judged(
    cases: Callable[[Targets], Case], settings: Settings
) -> None:
    promote(
        cases(("quality",)).model,
        on=[str(cases(("quality",)).later)],
        gate=GATE,
        settings=settings,
        now=NOW,
        on_fault=stop,
    )
    outcome = promote(
        cases(("published",)).model,
        on=[str(cases(("published",)).later)],
        gate=GATE,
        settings=settings,
        now=NOW,
        on_fault=stop,
    )
    assert not outcome.is_promoted
    assert outcome.verdict.reasons == ("the models have no label in common",)


def test_suggestions_are_records_without_the_label_of_the_model(
    case: Case, settings: Settings, tmp_path: Path
) -> None:
    write_archive(tmp_path / "news", (), n_records=30, seed=8)
    outcome = suggest([str(tmp_path / "news")], count=3, model=case.model, settings=settings, on_fault=stop)
    assert (len(outcome.suggestions), outcome.n_unlabelled) == (3, 30)
    with pytest.raises(ModelError, match="nothing to label"):
        suggest([str(case.later)], count=3, model=case.model, settings=settings, on_fault=stop)


@pytest.mark.parametrize("targets", SOME, ids="+".join)
def test_audit_needs_quality(targets: Targets, settings: Settings, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "news", targets, n_records=80)
    if "quality" not in targets:
        with pytest.raises(ModelError, match=r"got labels of .* alone, expected quality too"):
            audit([str(archive)], config=QUICK, settings=settings, limit=5, on_fault=stop)
        return
    outcome = audit([str(archive)], config=QUICK, settings=settings, limit=5, on_fault=stop)
    kinds = {kind for kind, count in outcome.counts.items() if count}
    assert kinds <= {"quality", "twin"} | ({"lead", "heat"} if "heat" in targets else set()) | (
        {"published"} if "published" in targets else set()
    )


def test_policy_has_rules_of_the_labels_of_the_model(case: Case) -> None:
    rules = [rule for group in load_model(Path(case.model)).models.rules for rule in group.rules]
    assert {rule.target for rule in rules} <= ({"quality"} if "quality" in case.targets else set())
    printed = run(case, "policy", "--model", case.model)
    assert printed.startswith("no rules: they need labels of quality") == (not rules)


def test_labels_may_be_chosen(settings: Settings, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "archive", TARGETS)
    for file in sorted(archive.iterdir())[30:]:
        file.write_text(re.sub("^quality: .*\n", "", file.read_text("utf-8"), flags=re.MULTILINE), "utf-8")
    options = {"settings": settings, "now": NOW, "is_tracked": False, "on_fault": stop}
    asked, chosen = Listener(), Listener()
    by_quality = train([str(archive)], config=QUICK, output=tmp_path / "a", reporter=asked, **options)  # type: ignore[arg-type]
    assert by_quality.n_records == 30
    assert (
        'more records have heat and published than quality: "labels: [heat, published]" in the configuration '
        "learns heat and published from all of them"
    ) in asked.notes
    config = msgspec.structs.replace(QUICK, labels=("published",))
    by_published = train([str(archive)], config=config, output=tmp_path / "b", reporter=chosen, **options)  # type: ignore[arg-type]
    assert by_published.n_records == 200
    assert load_model(tmp_path / "b").scorer.targets == ("published",)
    assert (
        "quality is not learned: 30 records have it, and the configuration does not name it" in chosen.notes
    )


def test_policy_of_heat_and_publication_without_quality(cases: Callable[[Targets], Case]) -> None:
    models = load_model(Path(cases(("heat", "published")).model)).models
    assert {rule.name for group in models.rules for rule in group.rules} == {"published from"}


def test_a_label_of_too_few_records_is_not_learned(settings: Settings, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "news", ("quality", "published"), n_records=60)
    for file in sorted(archive.iterdir())[:50]:
        file.write_text(re.sub(r"^published: .*\n", "", file.read_text("utf-8"), flags=re.MULTILINE), "utf-8")
    listener = Listener()
    outcome = train(
        [str(archive)],
        config=QUICK,
        settings=settings,
        now=NOW,
        is_tracked=False,
        on_fault=stop,
        reporter=listener,
    )
    assert "published is not learned: 10 records have it, 15 are needed" in listener.warnings
    assert load_model(Path(outcome.model)).scorer.targets == ("quality",)


def test_records_without_any_label_are_refused(settings: Settings, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "news", (), n_records=20)
    with pytest.raises(ModelError, match=r"a date and a label \(quality, heat or published\)"):
        train([str(archive)], config=QUICK, settings=settings, now=NOW, is_tracked=False, on_fault=stop)


def test_one_value_of_publication_teaches_nothing(settings: Settings, tmp_path: Path) -> None:
    lines = b"".join(
        json.dumps(
            {"title": f"Day {day}", "publishedDateTime": f"2019-01-{day:02}T00:00:00Z", "published": True}
        ).encode()
        + b"\n"
        for day in range(1, 29)
    )
    with pytest.raises(ModelError, match="all have the same published, expected both true and false"):
        train(
            ["-"],
            config=QUICK,
            settings=settings,
            now=NOW,
            output=tmp_path / "model",
            is_tracked=False,
            stdin=io.BytesIO(lines),
            on_fault=stop,
        )
