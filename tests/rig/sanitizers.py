"""What AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer say about a program that was built
with them (the preset `asan`).
"""

import re

# The first option is off in the programs themselves (common/base/sanitizer_needs.cc).
OPTIONS = {
    "ASAN_OPTIONS": "symbolize=1:abort_on_error=1:detect_stack_use_after_return=1"
    ":strict_string_checks=1",
    "UBSAN_OPTIONS": "symbolize=1:halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "second_deadlock_stack=1",
}
REPORT = r".*(ERROR: (Address|Leak)Sanitizer|: runtime error: |LeakSanitizer has encountered).*"

REPORT_LINES = 80


class SanitizerError(Exception):
    """A program had a fault that a sanitizer found."""


def require_none(output: str) -> None:
    """SanitizerError, with the report and what follows it, if there is one in the output."""
    if found := re.search(REPORT, output):
        raise SanitizerError("\n".join(output[found.start() :].splitlines()[:REPORT_LINES]))
