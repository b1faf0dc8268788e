"""Validation of LightGBM text models before LightGBM parses them.

LightGBM trusts its input: a wrong count, an index out of bounds or a missing line crashes the process or
reads out of bounds, without an exception. Hashes do not help, since an attacker can write those too. So the
text must match the format exactly (v4, one tree per iteration, no linear trees), with consistent counts,
indices within bounds and finite numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from scoring.errors import ModelError

MAX_DEPTH = 1000
"""Maximum depth of a tree: LightGBM computes SHAP values recursively."""

MAX_TOTAL = 1e12
"""Maximum sum over all trees: a thousand times the largest label, which fits 64 bits."""

MAX_EXPONENT = 100.0
"""Maximum sum over all trees of an objective with an exponential link."""

Lines = dict[str, str]
"""Lines of values, separated by single blanks, by the name of the regex group."""

_INT = r"-?[0-9]{1,9}"
_COUNT = r"[0-9]{1,9}"
_NUMBER = r"-?[0-9]{1,400}(?:\.[0-9]{1,400}|)(?:e[+-][0-9]{1,3}|)"

# Layout of each section; _FORMS checks the values of a line. No pattern has a repeated group, so matching
# takes linear time without possessive quantifiers or atomic groups, which Python 3.11.0 to 3.11.4 get wrong.
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


# For each line of values: a search for an invalid or empty value after a blank.
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
_BAD_IMPORTANCE = re.compile(r"\n(?![^\n=\[]+=[0-9]+(?![^\n]))")
_BAD_PARAMETER = re.compile(r"\n(?!\[)")
_NODE_LINES = ("feature", "gain", "threshold", "decision", "left", "right", "value", "weight", "count")
_LEAF_LINES = ("leaf_weight", "leaf_count")
_EXPONENTIALS = frozenset({"poisson", "gamma", "tweedie", "cross_entropy_lambda"})
_IS_CATEGORY, _MISSING_TYPES = 1, (0, 1, 2)
_MAX_BITS = 2**32


def check_text(text: str, path: str, max_total: float = MAX_TOTAL) -> None:
    """Reject a text that could crash LightGBM.

    Parameters
    ----------
    text : str
        Text of the whole model.
    path : str
        Path of the file, for messages.
    max_total : float
        Maximum sum over all trees.

    Raises
    ------
    ModelError
        If the text is not exactly what LightGBM writes; the message says where.
    """
    try:
        _check_all(text, path, max_total)
    except ModelError:
        raise
    except Exception as error:  # a text whose check fails is not valid
        reason = f"a text that cannot be checked ({type(error).__name__})"
        raise ModelError(f"{path}: got {reason}, expected a LightGBM 4 model") from error


def _check_all(text: str, path: str, max_total: float) -> None:
    match = _HEAD.match(text)
    header = match and _parsed_lines(match)
    if not match or not header or not _is_name_line(header["names"]):
        raise ModelError(f"{path}: got an invalid header, expected a LightGBM 4 model")
    n_features = int(header["last"]) + 1
    has_monotone = match["monotone"] is not None
    _check_counts(
        header, ("names", "infos", "monotone") if has_monotone else ("names", "infos"), n_features, path
    )
    if not all(map(_is_feature_info, header["infos"].split(" "))):
        raise ModelError(f"{path}: feature_infos: got an invalid value, expected the range of each feature")
    total = 0.0
    position = match.end()
    for number, size in enumerate(_integers(header["sizes"])):
        match = _TREE.match(text, position)
        tree = match and _parsed_lines(match)
        location = f"{path}: tree {number}"
        if not match or not tree:
            raise ModelError(f"{location}: got an invalid tree, expected one as LightGBM writes it")
        if match.end() - position != size or int(tree["at"]) != number:
            raise ModelError(
                f"{location}: got another size or number than in the header, expected size {size}"
            )
        total += _check_tree(tree, n_features, location)
        position = match.end()
    if not _is_tail(text, position):
        raise ModelError(f"{path}: got an invalid end of the text, expected a LightGBM 4 model")
    limit = MAX_EXPONENT if header["objective"] in _EXPONENTIALS else max_total
    if not total <= limit:
        raise ModelError(
            f"{path}: leaf_value: got a sum of {total:g} over all trees, expected {limit:g} at most"
        )


def _parsed_lines(section: re.Match[str]) -> Lines | None:
    """Lines of a section; None if a line has an invalid value or two blanks in a row."""
    lines: Lines = section.groupdict("")
    for name, find_invalid_value in _FORMS.items():
        line = lines.get(name)
        if line and find_invalid_value(" " + line):
            return None
    return lines


def _is_name_line(line: str) -> bool:
    return not line or line.split() == line.split(" ")


def _is_feature_info(info: str) -> bool:
    return bool(_RANGE.fullmatch(info)) or all(map(_CATEGORY.fullmatch, info.split(":")))


def _is_tail(text: str, position: int) -> bool:
    tail = _TAIL.fullmatch(text, position)
    return (
        tail is not None
        and not _BAD_IMPORTANCE.search(tail["importances"])
        and not _BAD_PARAMETER.search(tail["parameters"].removesuffix("\n"))
    )


def _check_tree(tree: Lines, n_features: int, location: str) -> float:
    """Check a tree and return its largest absolute leaf value."""
    n_leaves = int(tree["n_leaves"])
    n_inner = n_leaves - 1
    _check_counts(tree, _NODE_LINES, n_inner, location)
    # A tree with a single leaf lacks some lines.
    leaf_lines = [name for name in _LEAF_LINES if n_leaves > 1 or tree[name]]
    _check_counts(tree, ("leaf", *leaf_lines), n_leaves, location)
    if not all(0 <= feature < n_features for feature in _distinct(tree["feature"])):
        raise ModelError(
            f"{location}: split_feature: got an index out of bounds, expected 0 to {n_features - 1}"
        )
    left_children, right_children = _integers(tree["left"]), _integers(tree["right"])
    is_tree = (
        sorted(left_children + right_children) == [*range(-n_leaves, 0), *range(1, n_inner)][: 2 * n_inner]
    )
    depth = _depth(left_children, right_children) if is_tree else None
    if depth is None:
        raise ModelError(f"{location}: left_child, right_child: got no valid tree, expected each node once")
    if depth > MAX_DEPTH:
        raise ModelError(f"{location}: got a depth of more than {MAX_DEPTH} nodes, expected fewer")
    _check_categories(tree, location)
    return max(map(abs, map(float, tree["leaf"].split(" "))))


def _depth(left_children: list[int], right_children: list[int]) -> int | None:
    """Depth of a tree in nodes; None if a node precedes its parent."""
    depths = [1] * max(len(left_children), 1)
    for node, children in enumerate(zip(left_children, right_children, strict=True)):
        for child in children:
            if child > node:
                depths[child] = depths[node] + 1
            elif child >= 0:
                return None
    return max(depths)


def _check_categories(tree: Lines, location: str) -> None:
    if any(decision >> 2 not in _MISSING_TYPES for decision in _distinct(tree["decision"])):
        raise ModelError(f"{location}: decision_type: got a value out of bounds, expected 0 to 11")
    n_cat = int(tree["n_cat"])
    boundaries, bits = _integers(tree["boundaries"]), _integers(tree["bits"])
    thresholds, decisions = tree["threshold"].split(" "), tree["decision"].split(" ")
    categorical_decisions = {
        decision for decision in set(decisions) if decision and int(decision) & _IS_CATEGORY
    }
    set_indices = [
        threshold
        for threshold, decision in zip(thresholds, decisions, strict=True)
        if decision in categorical_decisions
    ]
    is_consistent = (
        boundaries[:1] == [0] and len(boundaries) == n_cat + 1 if n_cat else not boundaries and not bits
    )
    if (
        not is_consistent
        or any(first >= last for first, last in pairwise(boundaries))
        or (boundaries and boundaries[-1] != len(bits))
        or any(bit >= _MAX_BITS for bit in bits)
        or sorted(set_indices) != sorted(map(str, range(n_cat)))
    ):
        raise ModelError(
            f"{location}: cat_boundaries, cat_threshold: got invalid sets, expected {n_cat} category sets"
        )


def _check_counts(lines: Lines, names: Iterable[str], expected: int, location: str) -> None:
    for name in names:
        line = lines[name]
        count = line.count(" ") + 1 if line else 0
        if count != expected:
            raise ModelError(f"{location}: {name}: got {count} values, expected {expected}")


def _distinct(line: str) -> set[int]:
    return set(map(int, set(line.split(" ")))) if line else set()


def _integers(line: str) -> list[int]:
    return list(map(int, line.split(" "))) if line else []
