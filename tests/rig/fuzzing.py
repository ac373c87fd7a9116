"""What the fuzz targets of a lane tried, from the report of ctest."""

import re
import xml.etree.ElementTree as xml
from pathlib import Path

# What libFuzzer writes with -print_final_stats.
EXECUTED = re.compile(r"^stat::number_of_executed_units: *(\d+)", re.MULTILINE)


def tried_inputs(report: Path) -> dict:
    """{target: number of inputs}; 0 for a target that did not come to its end."""
    if not report.exists():
        return {}
    counts = {}
    for entry in xml.parse(report).iter("testcase"):
        found = EXECUTED.search(entry.findtext("system-out") or "")
        counts[entry.get("name").removeprefix("fuzz.")] = int(found[1]) if found else 0
    return counts
