"""The mutants fit the code of today; `make mutants` runs them."""

from __future__ import annotations

import pytest

from tests.mutants.run import ROOT, Mutant, outcome_of, read_mutants, to_page

MUTANTS = read_mutants()


@pytest.mark.parametrize("file", sorted({mutant.file for mutant in MUTANTS}))
def test_each_mutant_is_one_replacement_of_code_by_other_code(file: str) -> None:
    code = (ROOT / "scoring" / file).read_text("utf-8")
    mutants = [mutant for mutant in MUTANTS if mutant.file == file]
    assert [mutant.before for mutant in mutants if code.count(mutant.before) != 1] == []
    for mutant in mutants:
        compile(code.replace(mutant.before, mutant.after), file, "exec")
        assert mutant.before != mutant.after
    assert {test for mutant in mutants for test in mutant.tests if not (ROOT / test).is_file()} == set()


def test_no_mutant_comes_twice() -> None:
    assert len({(mutant.file, mutant.before, mutant.after) for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize(
    ("exit_code", "outcome"),
    [(0, "survived"), (1, "killed"), (2, "killed"), (-11, "killed"), (5, "tests ended with 5")],
)
def test_tests_that_fail_or_crash_kill_and_tests_that_do_not_run_do_not(exit_code: int, outcome: str) -> None:
    assert outcome_of(exit_code) == outcome


def test_page_has_a_row_for_each_mutant() -> None:
    mutants = [Mutant("a.py", "x | y", "", (), True), Mutant("b.py", "1", "2", (), False)]
    lines = to_page([(mutants[0], "survived"), (mutants[1], "killed")], "1 of 1 killed").splitlines()
    assert lines[-2:] == [
        "| a.py | `` x \\| y `` | nothing | survived (nearly equivalent) |",
        "| b.py | `` 1 `` | `` 2 `` | killed |",
    ]
