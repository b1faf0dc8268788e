from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scoring.credentials import mask_credentials
from scoring.errors import SettingsError
from scoring.settings import default_model_folder, load_settings, settings_origins
from scoring.storage.urls import name_of


def origins(**overrides: object) -> dict[str, str]:
    return {name: origin for name, _, origin in settings_origins(**overrides)}


def test_defaults_lie_in_the_working_folder(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.home == tmp_path / ".scoring"
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/.scoring/mlflow.db"
    assert (settings.experiment, settings.registered_model) == ("scoring", "scoring")
    assert (settings.model, settings.seed, settings.log_level) == (None, 0, "warning")
    assert 1 <= settings.threads <= 2
    assert set(origins().values()) == {"default"}


def test_store_follows_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORING_HOME", "elsewhere")
    assert load_settings().tracking_uri == f"sqlite:///{tmp_path}/elsewhere/mlflow.db"
    assert origins()["home"] == "environment SCORING_HOME"


def test_the_journal_follows_the_home_unless_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings(home="elsewhere").journal == tmp_path / "elsewhere" / "journal.jsonl"
    monkeypatch.setenv("SCORING_JOURNAL", "news/journal.jsonl")
    assert load_settings().journal == tmp_path / "news" / "journal.jsonl"
    assert origins()["journal"] == "environment SCORING_JOURNAL"
    monkeypatch.setenv("HOME", "/home/me")
    assert load_settings(journal=Path("~/journal.jsonl")).journal == Path("/home/me/journal.jsonl")


def test_each_source_wins_over_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.scoring]\nseed = 1\n")
    assert (load_settings().seed, origins()["seed"]) == (1, "pyproject.toml [tool.scoring]")
    (tmp_path / "scoring.yaml").write_text("seed: 2\n")
    assert (load_settings().seed, origins()["seed"]) == (2, "scoring.yaml")
    monkeypatch.setenv("SCORING_SEED", "3")
    assert (load_settings().seed, origins()["seed"]) == (3, "environment SCORING_SEED")
    assert (load_settings(seed=4).seed, origins(seed=4)["seed"]) == (4, "option --seed")


def test_mlflow_variable_names_the_store_unless_ours_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "harbour")
    assert (load_settings().experiment, origins()["experiment"]) == (
        "harbour",
        "environment MLFLOW_EXPERIMENT_NAME",
    )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow.example.com")
    assert load_settings().tracking_uri == "http://mlflow.example.com"
    assert origins()["tracking_uri"] == "environment MLFLOW_TRACKING_URI"
    monkeypatch.setenv("SCORING_TRACKING_URI", "http://ours.example.com")
    assert load_settings().tracking_uri == "http://ours.example.com"
    assert origins()["tracking_uri"] == "environment SCORING_TRACKING_URI"


def test_absent_override_and_empty_variable_set_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORING_THREADS", "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert set(origins(seed=None).values()) == {"default"}


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("scoring.yaml", "sed: 3", r"scoring\.yaml: sed: no such setting, expected one of home, "),
        ("scoring.yaml", "2021: 3", r"scoring\.yaml: 2021: no such setting"),
        ("scoring.yaml", "store_origin: me", r"scoring\.yaml: store_origin: no such setting"),
        ("scoring.yaml", "seed: many", r"scoring\.yaml: seed: got 'many', expected an integer from 0 to "),
        ("scoring.yaml", "threads: 0", r"scoring\.yaml: threads: got 0, expected an integer of 1 or more"),
        ("scoring.yaml", "home: 3", r"scoring\.yaml: home: got 3, expected the path of a folder"),
        ("scoring.yaml", "model: ''", r"scoring\.yaml: model: got '', expected a text that is not empty"),
        ("scoring.yaml", "- seed", r"scoring\.yaml: got list, expected names of settings with values"),
        ("scoring.yaml", "seed: [", r"scoring\.yaml: cannot be read as YAML"),
        ("pyproject.toml", "[tool.scoring]\nsed = 3", r"pyproject\.toml \[tool\.scoring\]: sed: no such"),
        ("pyproject.toml", "tool.scoring = 3", r"pyproject\.toml \[tool\.scoring\]: got int, expected"),
        ("pyproject.toml", "[tool", r"pyproject\.toml: cannot be read as TOML"),
    ],
)
def test_bad_file_is_named_with_its_key(tmp_path: Path, file: str, content: str, message: str) -> None:
    (tmp_path / file).write_text(content)
    with pytest.raises(SettingsError, match=f"^{message}"):
        load_settings()


def test_bad_variable_and_bad_option_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        SettingsError, match=r"^option --log-level: log_level: got 'loud', expected 'debug', "
    ):
        load_settings(log_level="loud")
    monkeypatch.setenv("SCORING_SEED", "-1")
    with pytest.raises(
        SettingsError, match=r"^environment SCORING_SEED: seed: got '-1', expected an integer from 0"
    ):
        load_settings()


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "scoring.yaml").write_text("seed: x\nthreads: y\nother: z\n")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == ["seed", "threads", "other"]


def test_credentials_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:hidden@mlflow.example.com")
    assert load_settings().tracking_uri == "https://me:hidden@mlflow.example.com"
    assert {name: value for name, value, _ in settings_origins()}["tracking_uri"] == (
        "https://***@mlflow.example.com"
    )
    assert "hidden" not in repr(load_settings())


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://u:p@db.example.com/x", "postgresql://***@db.example.com/x"),
        ("https://token@example.com", "https://***@example.com"),
        ("postgresql://db/x?user=a&password=b", "postgresql://db/x?user=a&***"),
        ("https://example.com/a@b", "https://example.com/a@b"),
        ("sqlite:////home/a/mlflow.db", "sqlite:////home/a/mlflow.db"),
    ],
)
def test_only_credentials_are_masked(text: str, masked: str) -> None:
    assert mask_credentials(text) == masked


def test_model_that_ships_is_found_in_a_checkout() -> None:
    assert default_model_folder() == Path(__file__).resolve().parents[1] / "models" / "default"


def test_import_reads_nothing(tmp_path: Path) -> None:
    (tmp_path / "scoring.yaml").write_text("not: [right")
    program = "import scoring.settings"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr, sorted(p.name for p in tmp_path.iterdir())) == (
        0,
        "",
        ["scoring.yaml"],
    )


def test_a_home_in_a_store_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORING_HOME", "s3://bucket/home")
    with pytest.raises(SettingsError, match=r"^environment SCORING_HOME: home: got the URL of a store"):
        load_settings()


def test_files_at_urls_stay_as_they_are(tmp_path: Path) -> None:
    settings = load_settings(fields="s3://bucket/fields.yaml", links=f"file://{tmp_path}/links.json")
    assert name_of(settings.fields or "") == "s3://bucket/fields.yaml"
    assert settings.links == tmp_path / "links.json"
