"""Which faults tests/mutation plants behind a switch, and how."""

import tempfile
import unittest
from pathlib import Path

from mutation import switches
from mutation.faults import Fault

SOURCE = """\
#include "a.h"

bool F(int a) {
  // A reason.
  Wipe(a);
  if (a > 1) {
    return true;
  }
  const int rest = Rest(a);
  switch (rest) {
    case Kind::kOdd:
      Round(rest);
  }
  constexpr int kMost = 3;
  Pair pair{.left = Two(a)};
  if (pair.left > a) {
    Wipe(pair);
  }
  return a > kMost && a < 9;
}
"""
ASKED = '::baokms::PlantedFault("fault")'


class PlantTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = Path(folder.name)
        (self.tree / "a.cc").write_text(SOURCE)
        header = self.tree / switches.HEADER
        header.parent.mkdir(parents=True)
        header.write_text('open("@FILE@")')

    def plant(self, replace: str, by: str, **more) -> str:
        """The text of the file with the fault; "" when it is not planted."""
        fault = Fault("fault", "a.cc", replace, by, ("unit", "a_test"), **more)
        planted = switches.plant([fault], self.tree)
        return (self.tree / "a.cc").read_text() if planted else ""

    def test_a_condition_is_asked_in_its_place(self):
        text = self.plant("if (a > 1) {", "if (a > 2) {")
        self.assertIn(f"if ({ASKED} ? bool(a > 2) : bool(a > 1)) {{\n    return true;", text)
        self.assertTrue(text.startswith(switches.INCLUDE))

    def test_statements_are_left_out_on_demand(self):
        text = self.plant("\n  Wipe(a);\n", "\n")
        self.assertIn(f"if ({ASKED}) {{", text)
        self.assertIn("} else { \n  // A reason.\n  Wipe(a);\n", text)

    def test_a_part_stands_for_its_statement(self):
        text = self.plant("a > kMost &&", "a > kMost ||")
        self.assertIn(f"if ({ASKED}) {{ \n  return a > kMost || a < 9;", text)
        self.assertIn("} else { \n  return a > kMost && a < 9;", text)

    def test_a_variable_gets_one_of_two_values(self):
        text = self.plant("Rest(a)", "0")
        self.assertIn(f"const int rest = {ASKED} ? (0) : (Rest(a));\n  switch", text)

    def test_the_label_of_a_case_is_no_part_of_its_statement(self):
        text = self.plant("Round(rest);", "")
        self.assertIn(f"case Kind::kOdd:\nif ({ASKED}) {{", text)

    def test_what_is_neither_gets_a_build_of_its_own(self):
        self.assertEqual(self.plant("kMost = 3;", "kMost = 4;"), "")
        self.assertEqual(self.plant(".left = Two(a)}", ".left = a}"), "")
        self.assertEqual(self.plant("if (a > 1) {", "if (a > 2) {", rebuild=True), "")
        self.assertEqual((self.tree / "a.cc").read_text(), SOURCE)

    def test_programs_read_from_a_file_of_the_tree_what_is_asked_for(self):
        self.plant("if (a > 1) {", "if (a > 2) {")
        header = (self.tree / switches.HEADER).read_text()
        self.assertEqual(header, f'open("{self.tree}/build/asked_fault")')
