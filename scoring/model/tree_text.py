"""LightGBM's text of a booster, held against its own grammar before LightGBM sees it.

LightGBM trusts what it reads: a count that is off, an index out of bounds or a missing line ends the process
or reads memory that is not the model's, and no exception tells. A hash does not help against a folder whose
maker wrote the hashes too. So the text must be exactly what LightGBM writes (format v4, one tree for each
iteration, no linear trees), its counts must agree, its indices lie within bounds, and its numbers be finite.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from scoring.errors import ModelError

MAX_DEPTH = 1000
"""Nodes from root to leaf: LightGBM walks them by calling itself when it explains."""

MAX_TOTAL = 1e12
"""What all trees together may add up to: a thousand times a label, and 64 bits hold it."""

MAX_EXPONENT = 100.0
"""The same where LightGBM takes the exponential of it."""

_INT = r"-?[0-9]{1,9}"
_NUMBER = r"-?[0-9]{1,400}(?:\.[0-9]{1,400})?(?:e[+-][0-9]{1,3})?"
_THRESHOLD = rf"(?:{_NUMBER}|-?inf)"  # a split of what is missing from all the rest has an infinite one
_NAME = r"\S++"
_BIT_FIELD = r"[0-9]{1,10}"


def _list_of(one: str) -> str:
    return rf"(?:{one}(?:\ {one})*+)?+"


_HEAD = re.compile(
    rf"""
    tree\n version=v4\n num_class=1\n num_tree_per_iteration=1\n label_index=0\n
    max_feature_idx=(?P<last>[0-9]{{1,9}})\n
    objective=(?P<objective>
      (?:regression|regression_l1|huber|fair|quantile|mape|poisson|gamma|tweedie|cross_entropy
        |cross_entropy_lambda)(?:\ sqrt)?
      |binary\ sigmoid:[0-9]{{1,9}}(?:\.[0-9]{{1,9}})? )\n
    feature_names=(?P<names>{_list_of(_NAME)})\n
    (?: monotone_constraints=(?P<monotone>{_list_of("-?[01]")})\n )?+
    feature_infos=(?P<infos>[^\n]*+)\n
    tree_sizes=(?P<sizes>{_list_of("[0-9]{1,9}")})\n
    \n
    """,
    re.VERBOSE,
)
_TREE = re.compile(
    rf"""
    Tree=(?P<at>[0-9]{{1,9}})\n
    num_leaves=(?P<n_leaves>[0-9]{{1,9}})\n
    num_cat=(?P<n_cat>[0-9]{{1,9}})\n
    split_feature=(?P<feature>{_list_of(_INT)})\n
    split_gain=(?P<gain>{_list_of(_NUMBER)})\n
    threshold=(?P<threshold>{_list_of(_THRESHOLD)})\n
    decision_type=(?P<decision>{_list_of("[0-9]{1,2}")})\n
    left_child=(?P<left>{_list_of(_INT)})\n
    right_child=(?P<right>{_list_of(_INT)})\n
    leaf_value=(?P<leaf>{_list_of(_NUMBER)})\n
    leaf_weight=(?P<leaf_weight>{_list_of(_NUMBER)})\n
    leaf_count=(?P<leaf_count>{_list_of("[0-9]{1,9}")})\n
    internal_value=(?P<value>{_list_of(_NUMBER)})\n
    internal_weight=(?P<weight>{_list_of(_NUMBER)})\n
    internal_count=(?P<count>{_list_of("[0-9]{1,9}")})\n
    (?: cat_boundaries=(?P<boundaries>{_list_of("[0-9]{1,9}")})\n
        cat_threshold=(?P<bits>{_list_of(_BIT_FIELD)})\n )?+
    is_linear=0\n
    shrinkage={_NUMBER}\n
    \n\n
    """,
    re.VERBOSE,
)
_TAIL = re.compile(
    r"""
    end\ of\ trees\n \n feature_importances:\n (?: [^\n=\[]++ = [0-9]++ \n )*+
    \n parameters:\n (?: \[ [^\n]*+ \n )*+ \n? end\ of\ parameters\n
    (?: \n pandas_categorical:[^\n]*+ \n? )?+
    """,
    re.VERBOSE,
)
_INFO = re.compile(rf"none|\[{_NUMBER}:{_NUMBER}\]|{_INT}(?::{_INT})*+")
_EXPONENTIALS = frozenset({"poisson", "gamma", "tweedie", "cross_entropy_lambda"})
_IS_CATEGORY, _MISSING_TYPES = 1, (0, 1, 2)
_MAX_BITS = 2**32


def check_text(text: str, place: str, max_total: float = MAX_TOTAL) -> None:
    """Refuse a text that LightGBM might not survive.

    Parameters
    ----------
    text : str
        The whole of it.
    place : str
        Where it is, for messages.
    max_total : float
        What all trees together may add up to.

    Raises
    ------
    ModelError
        If it is not exactly what LightGBM writes; the message tells where that ends, and how.
    """
    head = _HEAD.match(text)
    if head is None:
        raise ModelError(f"{place}: got a head of another form, expected that of a booster of LightGBM 4")
    n_features = int(head["last"]) + 1
    counts = {"names": n_features, "infos": n_features}
    if head["monotone"] is not None:
        counts["monotone"] = n_features
    for name, expected in counts.items():
        _check_count(head, name, expected, place)
    if not all(map(_INFO.fullmatch, head["infos"].split(" "))):
        raise ModelError(f"{place}: feature_infos: got another form, expected the range of each feature")
    total = 0.0
    at = head.end()
    for number, size in enumerate(_integers(head["sizes"])):
        tree = _TREE.match(text, at)
        where = f"{place}: tree {number}"
        if tree is None:
            raise ModelError(f"{where}: got another form, expected a tree as LightGBM writes it")
        if tree.end() - at != size or int(tree["at"]) != number:
            raise ModelError(f"{where}: got another size or number than the head names, expected {size}")
        total += _check_tree(tree, n_features, where)
        at = tree.end()
    if _TAIL.fullmatch(text, at) is None:
        raise ModelError(f"{place}: got another end of the text, expected that of a booster of LightGBM 4")
    limit = MAX_EXPONENT if head["objective"] in _EXPONENTIALS else max_total
    if not total <= limit:
        raise ModelError(f"{place}: leaf_value: got {total:g} in all, expected {limit:g} at most")


def _check_tree(tree: re.Match[str], n_features: int, where: str) -> float:
    """Largest value of a leaf, after the tree was found sound."""
    n_leaves, n_cat = int(tree["n_leaves"]), int(tree["n_cat"])
    n_inner = n_leaves - 1
    for name in ("feature", "gain", "threshold", "decision", "left", "right", "value", "weight", "count"):
        _check_count(tree, name, n_inner, where)
    _check_count(tree, "leaf", n_leaves, where)
    for name in ("leaf_weight", "leaf_count"):
        if n_leaves > 1 or tree[name]:  # of a tree that is one leaf, some are left out
            _check_count(tree, name, n_leaves, where)
    if any(not 0 <= feature < n_features for feature in _integers(tree["feature"])):
        raise ModelError(f"{where}: split_feature: got one out of bounds, expected 0 to {n_features - 1}")
    left, right = list(_integers(tree["left"])), list(_integers(tree["right"]))
    # A node comes after its parent and each has one, so there is no way round.
    if sorted(left + right) != [*range(-n_leaves, 0), *range(1, n_inner)][: 2 * n_inner] or any(
        0 <= child <= node for children in (left, right) for node, child in enumerate(children)
    ):
        raise ModelError(f"{where}: left_child, right_child: got no tree, expected each node once")
    if _depth(left, right) > MAX_DEPTH:
        raise ModelError(f"{where}: got more than {MAX_DEPTH} nodes in a row, expected fewer")
    _check_categories(tree, n_cat, where)
    return max(abs(float(value)) for value in tree["leaf"].split(" "))


def _depth(left: list[int], right: list[int]) -> int:
    depths = [1] * max(len(left), 1)
    for node, children in enumerate(zip(left, right, strict=True)):
        for child in children:
            if child > 0:
                depths[child] = depths[node] + 1
    return max(depths)


def _check_categories(tree: re.Match[str], n_cat: int, where: str) -> None:
    decisions = list(_integers(tree["decision"]))
    if any(decision >> 2 not in _MISSING_TYPES for decision in decisions):
        raise ModelError(f"{where}: decision_type: got one out of bounds, expected 0 to 11")
    boundaries, bits = (list(_integers(tree[name] or "")) for name in ("boundaries", "bits"))
    chosen = [
        threshold
        for threshold, decision in zip(tree["threshold"].split(" "), decisions, strict=bool(decisions))
        if decision & _IS_CATEGORY
    ]
    is_right = (
        boundaries[:1] == [0] and len(boundaries) == n_cat + 1 if n_cat else not boundaries and not bits
    )
    if (
        not is_right
        or any(first >= last for first, last in pairwise(boundaries))
        or (boundaries and boundaries[-1] != len(bits))
        or any(bit >= _MAX_BITS for bit in bits)
        or sorted(chosen) != sorted(map(str, range(n_cat)))
    ):
        raise ModelError(f"{where}: cat_boundaries, cat_threshold: got sets out of bounds, expected {n_cat}")


def _check_count(found: re.Match[str], name: str, expected: int, where: str) -> None:
    got = found[name].count(" ") + 1 if found[name] else 0
    if got != expected:
        raise ModelError(f"{where}: {name}: got {got} values, expected {expected}")


def _integers(text: str) -> Iterator[int]:
    return map(int, text.split(" ")) if text else iter(())
