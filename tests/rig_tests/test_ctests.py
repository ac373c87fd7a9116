"""What an expression of `tests/run --filter` selects in the lanes of ctest."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

from rig import ctests

# Prints the cases that the pattern selects, as GoogleTest does; this one knows exact names only.
PROGRAM = """#!/bin/sh
case $1 in
  --gtest_filter={case}) printf 'Suite.\\n  Case\\n' ;;
esac
"""


class SelectTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "tests").mkdir()
        self.tests = {"style": Path("/bin/false")}
        self.add("registry.store_test", "Suite.Stores")
        self.add("base_test", "Suite.Base")
        patched = mock.patch.object(ctests, "listed", lambda folder, labels: self.tests)
        patched.start()
        self.addCleanup(patched.stop)

    def add(self, name: str, case: str) -> None:
        program = self.folder / "tests" / name.rpartition(".")[2]
        program.write_text(PROGRAM.format(case=case))
        program.chmod(0o755)
        self.tests[name] = program

    def select(self, expression: str) -> list:
        return ctests.select(self.folder, "^unit$", expression)

    def test_the_name_of_a_test_selects_all_of_it(self):
        self.assertEqual(self.select("registry"), [({"registry.store_test"}, None)])

    def test_other_expressions_select_cases_of_the_programs_that_have_them(self):
        self.assertEqual(self.select("Suite.Base"), [({"base_test"}, "Suite.Base")])

    def test_a_pattern_need_not_be_a_regular_expression(self):
        self.assertEqual(self.select("*Base"), [])

    def test_what_matches_nothing_selects_nothing(self):
        self.assertEqual(self.select("Suite.Absent"), [])
