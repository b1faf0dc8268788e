"""Validation of LightGBM texts: anything that could crash LightGBM is rejected first."""

from __future__ import annotations

import os
import random
import re
import signal
from collections import Counter
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest

from scoring.artifact import lightgbm_validation
from scoring.artifact.lightgbm_validation import MAX_DEPTH, check_text
from scoring.errors import ModelError
from scoring.model.booster import Booster

N_MUTATIONS = 600
RANDOM = np.random.default_rng(3)
X = np.column_stack([RANDOM.normal(size=(400, 3)), RANDOM.integers(0, 90, 400)])
X[RANDOM.random(X.shape) < 0.1] = np.nan
Y = np.abs(np.nan_to_num(X[:, 0])) + (np.nan_to_num(X[:, 3]) % 7 > 3) + 0.1
OBJECTIVES = (
    *("regression", "regression_l1", "huber", "fair", "quantile", "mape", "poisson", "gamma", "tweedie"),
    *("cross_entropy", "cross_entropy_lambda", "binary"),
)


def text_of(objective: str, y: np.ndarray = Y, **params: object) -> str:
    if objective == "binary":
        y = (y > np.median(y)).astype(float)
    elif objective.startswith("cross"):
        y = y / (1 + y)
    settings = {"objective": objective, "verbosity": -1, "min_data_in_leaf": 5, "num_threads": 1} | params
    names = ["chars", "count", "topic__Café_雨", "provider"]
    data = lgb.Dataset(X, y, categorical_feature=[3], feature_name=names)
    return lgb.train(settings, data, num_boost_round=6).model_to_string(importance_type="gain")


@pytest.fixture(scope="module")
def text() -> str:
    return text_of(
        "regression", num_leaves=8, monotone_constraints=[1, 0, -1, 0], min_data_per_group=5, cat_smooth=1
    )


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_what_lightgbm_writes_is_taken(objective: str) -> None:
    check_text(text_of(objective), "a")
    check_text(text_of(objective, num_leaves=60, max_cat_to_onehot=1, min_data_per_group=3), "a")
    check_text(text_of(objective, np.full(400, 0.5)), "a")  # trees that are one leaf


@pytest.mark.parametrize("folder", [Path(__file__).parents[2] / "models" / "default"])
def test_the_model_that_ships_is_taken(folder: Path) -> None:
    texts = sorted(folder.glob("*.txt"))
    assert len(texts) == 10
    for file in texts:
        check_text(file.read_text(), file.name)


def refused(text: str) -> str:
    with pytest.raises(ModelError) as caught:
        check_text(text, "lead.txt")
    message = str(caught.value)
    assert message.startswith("lead.txt: ")
    assert "\n" not in message
    return message


def resized(text: str) -> str:
    """The text with updated tree sizes, so that changes are not found by the length alone."""
    trees = re.findall(r"Tree=.*?\n\n\n", text, re.DOTALL)
    sizes = " ".join(str(len(tree)) for tree in trees)
    return re.sub(r"tree_sizes=[\d ]*", f"tree_sizes={sizes}", text, count=1)


def changed(text: str, old: str, new: str) -> str:
    assert re.search(old, text), old
    return resized(re.sub(old, new, text, count=1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version=v4", "version=v3", "head"),
        ("num_class=1", "num_class=2", "head"),
        ("num_tree_per_iteration=1", "num_tree_per_iteration=0", "head"),
        ("objective=regression", "objective=", "head"),
        ("objective=regression", "objective=custom", "head"),
        ("max_feature_idx=3", "max_feature_idx=2", "names: got 4 values, expected 3"),
        ("max_feature_idx=3", "max_feature_idx=999999999", "names: got 4 values"),
        ("feature_infos=", "feature_infos=x ", "infos: got 5 values"),
        (r"feature_infos=\S+", "feature_infos=x", "feature_infos: got an invalid value"),
        ("num_leaves=8", "num_leaves=9", "tree 0: feature: got 7 values, expected 8"),
        ("num_leaves=8", "num_leaves=999999999", "tree 0: feature: got 7 values"),
        (r"split_feature=\d", "split_feature=4", "split_feature: got an index out of bounds"),
        (r"split_feature=\d", "split_feature=-1", "split_feature: got an index out of bounds"),
        (r"left_child=-?\d+", "left_child=0", "got no valid tree"),
        (r"left_child=-?\d+", "left_child=99", "got no valid tree"),
        (r"right_child=-?\d+", "right_child=-99", "got no valid tree"),
        (r"leaf_value=\S+", "leaf_value=nan", "tree 0: got an invalid tree"),
        (r"leaf_value=\S+", "leaf_value=inf", "tree 0: got an invalid tree"),
        (
            r"leaf_value=\S+",
            "leaf_value=1e+300",
            "got a sum of 1e+300 over all trees, expected 1e+12 at most",
        ),
        (r"leaf_value=\S+", "leaf_value=" + "9" * 400, "leaf_value: got a sum of inf over all trees"),
        (r"leaf_value=\S+ ", "leaf_value=", "leaf: got 7 values, expected 8"),
        (r"leaf_count=\S+", "leaf_count=-1", "tree 0: got an invalid tree"),
        (r"decision_type=\d+", "decision_type=12", "decision_type: got a value out of bounds"),
        (r"num_cat=\d+", "num_cat=9", "cat_boundaries, cat_threshold"),
        ("cat_boundaries=0", "cat_boundaries=1", "cat_boundaries, cat_threshold"),
        (r"cat_boundaries=0 \d+", "cat_boundaries=0 99", "cat_boundaries, cat_threshold"),
        (r"cat_threshold=\d+", "cat_threshold=4294967296", "cat_boundaries, cat_threshold"),
        (r"cat_threshold=\d+ ", "cat_threshold=", "cat_boundaries, cat_threshold"),
        ("is_linear=0", "is_linear=1", "tree 0: got an invalid tree"),
        ("Tree=1", "Tree=2", "tree 1: got another size or number"),
        ("end of trees", "end of tree", "invalid end"),
        ("pandas_categorical", "pandas", "invalid end"),
    ],
)
def test_what_might_end_the_process_is_refused(text: str, old: str, new: str, message: str) -> None:
    assert message in refused(changed(text, old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("feature_names=chars count", "feature_names=chars  count"),
        ("feature_names=chars count", "feature_names=chars\u2028count x"),
        (r"feature_infos=\S+", "feature_infos="),
        (r"(feature_infos=.*) \S+\n", r"\1 1:2:\n"),
        (r"(feature_infos=.*) \S+\n", r"\1 [1:2]:3\n"),
        (r"(feature_infos=.*) \S+\n", r"\1 5:none\n"),
        (r"split_feature=\d", "split_feature="),
        (r"split_feature=\d", "split_feature=1_0"),
        (r"left_child=\S+", "left_child=+1"),
        (r"left_child=\S+ ", "left_child=\u0661 "),
        (r"(leaf_value=.*)\n", r"\1 \n"),
        (r"leaf_value=\S+", "leaf_value=1."),
        (r"leaf_value=\S+", "leaf_value=-"),
        (r"leaf_value=\S+", "leaf_value=1e5"),
        (r"cat_boundaries=0 ", "cat_boundaries=0  "),
        (r"cat_threshold=\d+", "cat_threshold="),
        (r"shrinkage=\S+", "shrinkage="),
        ("feature_importances:\n", "feature_importances:x\n"),
        ("feature_importances:\n", "feature_importances:\n\n"),
        ("feature_importances:\n", "feature_importances:\na=b\n"),
        ("feature_importances:\n", "feature_importances:\na=\n"),
        ("\nparameters:\n", "\nparameters:x\n"),
        ("\nparameters:\n", "\nparameters:\nx\n"),
        ("\nparameters:\n", "\nparameters:\nend of parameters\n"),
        ("\nend of parameters", "x\nend of parameters"),
        (r"pandas_categorical.*\n", "pandas_categorical:null\n\n"),
    ],
)
def test_values_of_another_form_are_refused(text: str, old: str, new: str) -> None:
    """Each is a small change of a valid text."""
    assert ": got " in refused(changed(text, old, new))


@pytest.mark.parametrize(
    "error", [ValueError("invalid literal"), IndexError(), RecursionError(), MemoryError()]
)
def test_what_the_check_cannot_settle_is_refused(
    text: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> float:
        raise error

    monkeypatch.setattr(lightgbm_validation, "_check_tree", stop)
    message = refused(text)
    assert message.startswith(f"lead.txt: got a text that cannot be checked ({type(error).__name__})")


def test_sizes_that_the_head_names_are_those_of_the_trees(text: str) -> None:
    assert "tree 0: got another size" in refused(re.sub(r"tree_sizes=(\d)", r"tree_sizes=1\1", text))
    assert "invalid end" in refused(re.sub(r"tree_sizes=(.*) \d+\n", r"tree_sizes=\1\n", text))
    assert "got an invalid tree" in refused(re.sub(r"tree_sizes=(.*)\n", r"tree_sizes=\1 500\n", text))
    for size in (" ", "-", "1.", "1_", "0000000000"):
        assert "got an invalid header" in refused(text.replace("tree_sizes=", f"tree_sizes={size}"))


def test_exponents_are_bounded_earlier() -> None:
    text = text_of("poisson")
    assert "over all trees, expected 100 at most" in refused(
        changed(text, r"leaf_value=\S+", "leaf_value=1000")
    )


@pytest.mark.parametrize("n_nodes", [MAX_DEPTH, MAX_DEPTH + 1])
def test_depth_is_bounded(text: str, n_nodes: int) -> None:
    """A chain: each node has a leaf to the left and the next node to the right."""
    values = {
        "num_leaves": [n_nodes + 1],
        "num_cat": [0],
        **dict.fromkeys(("split_feature", "split_gain", "threshold"), [0] * n_nodes),
        "decision_type": [2] * n_nodes,
        "left_child": [-1 - node for node in range(n_nodes)],
        "right_child": [*range(1, n_nodes), -1 - n_nodes],
        **dict.fromkeys(("leaf_value", "leaf_weight", "leaf_count"), [1] * (n_nodes + 1)),
        **dict.fromkeys(("internal_value", "internal_weight", "internal_count"), [1] * n_nodes),
        "is_linear": [0],
        "shrinkage": [1],
    }
    lines = [f"{name}={' '.join(map(str, numbers))}" for name, numbers in values.items()]
    chain = "\n".join(["Tree=0", *lines, "", "", ""])
    made = changed(text, r"(?s)Tree=0.*(?=end of trees)", chain)
    if n_nodes > MAX_DEPTH:
        assert f"got a depth of more than {MAX_DEPTH} nodes" in refused(made)
    else:
        check_text(made, "a")
        assert np.isfinite(Booster(made).contributions(X[:3])).all()


NUMBERS = ["-1", "0", "7", "999999999", "-999999999", "1e400", "nan", "inf", "x", "", "4294967296", "1e-7"]


def mutated(text: str, rng: random.Random) -> str:
    """The text with one or two damaged lines: lost, doubled, cut, longer, or with another number."""
    lines = text.partition("\nend of trees")[0].split("\n")
    for _ in range(rng.choice([1, 1, 2])):
        at = rng.choice([index for index, line in enumerate(lines) if "=" in line])
        name, _, values = lines[at].partition("=")
        parts = values.split(" ")
        kind = rng.randrange(8)
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(at, lines[at])
        else:
            if kind == 2:
                del parts[rng.randrange(len(parts)) :]
            elif kind == 3:
                parts += ["7"] * rng.randrange(1, 50)
            elif kind == 4:
                rng.shuffle(parts)
            else:
                parts[rng.randrange(len(parts))] = rng.choice([*NUMBERS, *parts])
            lines[at] = f"{name}={' '.join(parts)}"
    return resized("\n".join(lines) + "\nend of trees" + text.partition("\nend of trees")[2])


@pytest.mark.exhaustive
def test_what_is_taken_lightgbm_survives(text: str) -> None:
    """Random damage: each text that passes is loaded and used in a process of its own."""
    rng = random.Random(11)  # noqa: S311 -- damage, not secrets
    ends: Counter[str] = Counter()
    for _ in range(N_MUTATIONS):
        damaged = mutated(text, rng)
        try:
            check_text(damaged, "a")
        except ModelError:
            ends["refused"] += 1
            continue
        if (pid := os.fork()) == 0:
            signal.alarm(10)
            code = 1
            try:
                booster = Booster(damaged)
                is_finite = np.isfinite(booster.predict(X)).all()
                booster.contributions(X[:20])
                code = 0 if is_finite else 2
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        ends["survived" if code == 0 else f"ended with {code}: {damaged}"] += 1
    assert ends.keys() == {"refused", "survived"}
    assert min(ends.values()) > 30
