"""A test fails when a program that it started had a fault that a sanitizer found."""

import unittest

from rig import sanitizers
from rig.sanitizers import SanitizerError
from rig.workspace import Workspace

REPORTS = (
    "==7==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x602000000011",
    "==7==ERROR: LeakSanitizer: detected memory leaks",
    "==7==LeakSanitizer has encountered a fatal error.",
    "a.cc:7:3: runtime error: signed integer overflow",
)


class SanitizersTest(unittest.TestCase):
    def test_each_kind_of_report_in_a_log_fails_at_the_end(self):
        for report in REPORTS:
            workspace = Workspace("sanitizers")
            script = f"echo '{{}}'; echo '{report}'; echo more"
            workspace.daemon("program", ["/bin/sh", "-c", script]).start().wait_exit()
            with self.assertRaisesRegex(SanitizerError, f"(?s)^{report}.*more$"):
                workspace.close()
            self.assertFalse(workspace.root.exists())

    def test_other_output_fails_nothing(self):
        sanitizers.require_none('{"level":"ERROR"}\ncannot start: runtime error of no sanitizer')
