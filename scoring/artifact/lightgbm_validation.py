"""LightGBM's text of a booster, held against its own grammar before LightGBM sees it.

LightGBM trusts what it reads: a count that is off, an index out of bounds or a missing line ends the process
or reads memory that is not the model's, and no exception tells. A hash does not help against a folder whose
maker wrote the hashes too. So the text must be exactly what LightGBM writes (format v4, one tree for each
iteration, no linear trees), its counts must agree, its indices lie within bounds, and its numbers be finite.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from scoring.errors import ModelError

MAX_DEPTH = 1000
"""Nodes from root to leaf: LightGBM walks them by calling itself when it explains."""

MAX_TOTAL = 1e12
"""What all trees together may add up to: a thousand times a label, and 64 bits hold it."""

MAX_EXPONENT = 100.0
"""The same where LightGBM takes the exponential of it."""

Lines = dict[str, str]
"""Lines of values, each with one blank between two, by the name of its group."""

_INT = r"-?[0-9]{1,9}"
_COUNT = r"[0-9]{1,9}"
_NUMBER = r"-?[0-9]{1,400}(?:\.[0-9]{1,400}|)(?:e[+-][0-9]{1,3}|)"

# The frame of each section: _FORMS looks at the values of a line one by one. No pattern has a group that
# repeats, so that each takes linear time and no memory, and needs no possessive quantifier or atomic group:
# Python 3.11.0 to 3.11.4 matches these wrongly.
_HEAD = re.compile(
    r"""
    tree\n version=v4\n num_class=1\n num_tree_per_iteration=1\n label_index=0\n
    max_feature_idx=(?P<last>[0-9]{1,9})\n
    objective=(?P<objective>
      (?:regression|regression_l1|huber|fair|quantile|mape|poisson|gamma|tweedie|cross_entropy
        |cross_entropy_lambda)(?:\ sqrt)?
      |binary\ sigmoid:[0-9]{1,9}(?:\.[0-9]{1,9})? )\n
    feature_names=(?P<names>[^\n]*)\n
    (?: monotone_constraints=(?P<monotone>[^\n]*)\n )?
    feature_infos=(?P<infos>[^\n]*)\n
    tree_sizes=(?P<sizes>[^\n]*)\n
    \n
    """,
    re.VERBOSE,
)
_TREE = re.compile(
    rf"""
    Tree=(?P<at>{_COUNT})\n
    num_leaves=(?P<n_leaves>{_COUNT})\n
    num_cat=(?P<n_cat>{_COUNT})\n
    split_feature=(?P<feature>[^\n]*)\n
    split_gain=(?P<gain>[^\n]*)\n
    threshold=(?P<threshold>[^\n]*)\n
    decision_type=(?P<decision>[^\n]*)\n
    left_child=(?P<left>[^\n]*)\n
    right_child=(?P<right>[^\n]*)\n
    leaf_value=(?P<leaf>[^\n]*)\n
    leaf_weight=(?P<leaf_weight>[^\n]*)\n
    leaf_count=(?P<leaf_count>[^\n]*)\n
    internal_value=(?P<value>[^\n]*)\n
    internal_weight=(?P<weight>[^\n]*)\n
    internal_count=(?P<count>[^\n]*)\n
    (?: cat_boundaries=(?P<boundaries>[^\n]*)\n
        cat_threshold=(?P<bits>[^\n]*)\n )?
    is_linear=0\n
    shrinkage={_NUMBER}\n
    \n\n
    """,
    re.VERBOSE,
)
_TAIL = re.compile(
    r"""
    end\ of\ trees\n \n feature_importances:(?P<importances>\n[^\[]*|)\n
    \n parameters:(?P<parameters>\n(?s:.*)|)\n end\ of\ parameters\n
    (?: \n pandas_categorical:[^\n]* \n? )?
    """,
    re.VERBOSE,
)


# For each line of values the search for one of another form, or of none, behind a blank.
_FORMS = {
    name: re.compile(rf" (?!(?:{form})(?![^ ]))").search
    for form, names in {
        _INT: ("feature", "left", "right"),
        _COUNT: ("sizes", "leaf_count", "count", "boundaries"),
        _NUMBER: ("gain", "leaf", "leaf_weight", "value", "weight"),
        rf"{_NUMBER}|-?inf": (
            "threshold",
        ),  # a split of what is missing from all the rest has an infinite one
        "-?[01]": ("monotone",),
        "[0-9]{1,2}": ("decision",),
        "[0-9]{1,10}": ("bits",),
    }.items()
    for name in names
}
_RANGE = re.compile(rf"none|\[{_NUMBER}:{_NUMBER}\]")
_CATEGORY = re.compile(_INT)
_ODD_IMPORTANCE = re.compile(r"\n(?![^\n=\[]+=[0-9]+(?![^\n]))")
_ODD_PARAMETER = re.compile(r"\n(?!\[)")
_OF_NODES = ("feature", "gain", "threshold", "decision", "left", "right", "value", "weight", "count")
_OF_LEAVES = ("leaf_weight", "leaf_count")
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
    try:
        _check_all(text, place, max_total)
    except ModelError:
        raise
    except Exception as error:  # a check that comes to no end has not found the text sound
        got = f"a text that cannot be checked ({type(error).__name__})"
        raise ModelError(f"{place}: got {got}, expected that of a booster of LightGBM 4") from error


def _check_all(text: str, place: str, max_total: float) -> None:
    match = _HEAD.match(text)
    head = match and _lines_of(match)
    if not match or not head or not _are_names(head["names"]):
        raise ModelError(f"{place}: got a head of another form, expected that of a booster of LightGBM 4")
    n_features = int(head["last"]) + 1
    has_monotone = match["monotone"] is not None
    _check_counts(
        head, ("names", "infos", "monotone") if has_monotone else ("names", "infos"), n_features, place
    )
    if not all(map(_is_info, head["infos"].split(" "))):
        raise ModelError(f"{place}: feature_infos: got another form, expected the range of each feature")
    total = 0.0
    at = match.end()
    for number, size in enumerate(_integers(head["sizes"])):
        match = _TREE.match(text, at)
        tree = match and _lines_of(match)
        where = f"{place}: tree {number}"
        if not match or not tree:
            raise ModelError(f"{where}: got another form, expected a tree as LightGBM writes it")
        if match.end() - at != size or int(tree["at"]) != number:
            raise ModelError(f"{where}: got another size or number than the head names, expected {size}")
        total += _check_tree(tree, n_features, where)
        at = match.end()
    if not _is_tail(text, at):
        raise ModelError(f"{place}: got another end of the text, expected that of a booster of LightGBM 4")
    limit = MAX_EXPONENT if head["objective"] in _EXPONENTIALS else max_total
    if not total <= limit:
        raise ModelError(f"{place}: leaf_value: got {total:g} in all, expected {limit:g} at most")


def _lines_of(section: re.Match[str]) -> Lines | None:
    """Each line that a section has; None where one has a value of another form, or two blanks in a row."""
    lines: Lines = section.groupdict("")
    for name, has_other_form in _FORMS.items():
        line = lines.get(name)
        if line and has_other_form(" " + line):
            return None
    return lines


def _are_names(line: str) -> bool:
    return not line or line.split() == line.split(" ")


def _is_info(info: str) -> bool:
    return bool(_RANGE.fullmatch(info)) or all(map(_CATEGORY.fullmatch, info.split(":")))


def _is_tail(text: str, at: int) -> bool:
    tail = _TAIL.fullmatch(text, at)
    return (
        tail is not None
        and not _ODD_IMPORTANCE.search(tail["importances"])
        and not _ODD_PARAMETER.search(tail["parameters"].removesuffix("\n"))
    )


def _check_tree(tree: Lines, n_features: int, where: str) -> float:
    """Largest value of a leaf, after the tree was found sound."""
    n_leaves = int(tree["n_leaves"])
    n_inner = n_leaves - 1
    _check_counts(tree, _OF_NODES, n_inner, where)
    # Of a tree that is one leaf, some are left out.
    has_all = [name for name in _OF_LEAVES if n_leaves > 1 or tree[name]]
    _check_counts(tree, ("leaf", *has_all), n_leaves, where)
    if not all(0 <= feature < n_features for feature in _distinct(tree["feature"])):
        raise ModelError(f"{where}: split_feature: got one out of bounds, expected 0 to {n_features - 1}")
    left, right = _integers(tree["left"]), _integers(tree["right"])
    is_each_once = sorted(left + right) == [*range(-n_leaves, 0), *range(1, n_inner)][: 2 * n_inner]
    depth = _depth(left, right) if is_each_once else None
    if depth is None:
        raise ModelError(f"{where}: left_child, right_child: got no tree, expected each node once")
    if depth > MAX_DEPTH:
        raise ModelError(f"{where}: got more than {MAX_DEPTH} nodes in a row, expected fewer")
    _check_categories(tree, where)
    return max(map(abs, map(float, tree["leaf"].split(" "))))


def _depth(left: list[int], right: list[int]) -> int | None:
    """Nodes from the root to the farthest leaf; None where a node does not come after its parent."""
    depths = [1] * max(len(left), 1)
    for node, children in enumerate(zip(left, right, strict=True)):
        for child in children:
            if child > node:
                depths[child] = depths[node] + 1
            elif child >= 0:
                return None
    return max(depths)


def _check_categories(tree: Lines, where: str) -> None:
    if any(decision >> 2 not in _MISSING_TYPES for decision in _distinct(tree["decision"])):
        raise ModelError(f"{where}: decision_type: got one out of bounds, expected 0 to 11")
    n_cat = int(tree["n_cat"])
    boundaries, bits = _integers(tree["boundaries"]), _integers(tree["bits"])
    thresholds, decisions = tree["threshold"].split(" "), tree["decision"].split(" ")
    of_sets = {decision for decision in set(decisions) if decision and int(decision) & _IS_CATEGORY}
    chosen = [
        threshold for threshold, decision in zip(thresholds, decisions, strict=True) if decision in of_sets
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


def _check_counts(lines: Lines, names: Iterable[str], expected: int, where: str) -> None:
    for name in names:
        line = lines[name]
        got = line.count(" ") + 1 if line else 0
        if got != expected:
            raise ModelError(f"{where}: {name}: got {got} values, expected {expected}")


def _distinct(line: str) -> set[int]:
    return set(map(int, set(line.split(" ")))) if line else set()


def _integers(line: str) -> list[int]:
    return list(map(int, line.split(" "))) if line else []
