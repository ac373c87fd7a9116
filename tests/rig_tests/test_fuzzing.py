"""What is read of the report on a run of the fuzz targets."""

import tempfile
import unittest
from pathlib import Path

from rig import fuzzing

REPORT = """<testsuite>
  <testcase name="fuzz.json_fuzz" status="run"><system-out>Done
stat::number_of_executed_units: 1234
stat::peak_rss_mb:              56
</system-out></testcase>
  <testcase name="fuzz.http_fuzz" status="fail"><system-out>crash</system-out></testcase>
</testsuite>"""


class TriedInputsTest(unittest.TestCase):
    def test_counts_the_inputs_of_each_target(self):
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "ctest.xml"
            report.write_text(REPORT)
            self.assertEqual(fuzzing.tried_inputs(report), {"json_fuzz": 1234, "http_fuzz": 0})

    def test_without_a_report_there_is_nothing(self):
        self.assertEqual(fuzzing.tried_inputs(Path("/nonexistent/ctest.xml")), {})
