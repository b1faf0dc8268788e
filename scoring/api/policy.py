"""The rules of a model as a list that notebooks display as a table."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, SupportsIndex, overload

import msgspec

from scoring.explanation.policy import PolicyLine
from scoring.extras import MissingExtraError, naming_extras

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = ["target", "text", "interval", "n_records", "followed_ratio"]


class Policy(list[PolicyLine]):
    """Rules of a model: a list that notebooks display as a table.

    Examples
    --------
    >>> len(Policy())
    0
    """

    @overload
    def __getitem__(self, index: SupportsIndex) -> PolicyLine: ...
    @overload
    def __getitem__(self, index: slice) -> Policy: ...
    def __getitem__(self, index: SupportsIndex | slice) -> PolicyLine | Policy:
        if isinstance(index, slice):
            return Policy(super().__getitem__(index))
        return super().__getitem__(index)

    @naming_extras("frames")
    def to_frame(self) -> pd.DataFrame:
        """Return the rules, one per row.

        Returns
        -------
        DataFrame of shape (n_rules, n_fields)
            The fields of a rule: ``target``, ``text``, ``interval``, ``n_records``, ``value``, ``low``, ...
        """
        import pandas as pd

        names = list(dict.fromkeys([*_SHOWN, *PolicyLine.__struct_fields__]))
        return pd.DataFrame([msgspec.structs.asdict(line) for line in self], columns=names)

    def _repr_html_(self) -> str:
        """The rules in words, with their intervals and numbers of records."""
        try:
            table = self.to_frame()[_SHOWN]
        except MissingExtraError as error:
            return f"<pre>{escape(repr(self))}</pre><p>{escape(str(error))}</p>"
        html: str = table.to_html(index=False, float_format="{:.2f}".format, na_rep="")
        return html
