"""tests/bench/run: builds, measures, prints a table or JSON."""

import argparse
import json
import os
import signal
import statistics
import sys

from rig.lanes import LaneError, build, fetch
from rig.provider import INSTALLED
from rig.tools import RigError

from .report import Report
from .stand import BenchWorkspace, Stand
from .table import text_table

QUICK = {"rounds": 3, "seconds": 0.5, "starts": 3}
USUAL = {"rounds": 5, "seconds": 2.0, "starts": 7}


def parse(arguments):
    """The command line of tests/bench/run."""
    parser = argparse.ArgumentParser(
        prog="tests/bench/run",
        description="Compares the provider with bare Transit calls to the same OpenBao.",
    )
    parser.add_argument("--output", choices=("text", "json"), default="text")
    parser.add_argument("--rounds", type=int, help="default 5; --quick: 3")
    parser.add_argument("--seconds", type=float, help="per step, default 2.0; --quick: 0.5")
    parser.add_argument("--quick", action="store_true", help="less of everything, for a first look")
    options = parser.parse_args(arguments)
    defaults = QUICK if options.quick else USUAL
    options.rounds = options.rounds or defaults["rounds"]
    options.seconds = options.seconds or defaults["seconds"]
    options.starts = defaults["starts"]
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds must be positive")
    return options


def say(text: str) -> None:
    """A line of progress."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def measure(stand: Stand, options) -> Report:
    """Everything the report holds, in the order in which it disturbs least."""
    rounds = []
    for number in range(options.rounds):
        say(f"round {number + 1} of {options.rounds}")
        rounds.append(stand.round(number, options.seconds))
    memory = stand.memory_mb()
    say("Status alone")
    calls_per_status = stand.openbao_calls_per_status(options.seconds)
    say("a flood of forged key_ids")
    floods = [stand.flooded(options.seconds) for _ in range(options.rounds)]
    say("attacks")
    attacked = stand.attacked(options.rounds, 3 * options.seconds)
    say(f"{options.starts} starts")
    starts = [stand.first_encrypt_ms() for _ in range(options.starts)]
    return Report(rounds, memory, calls_per_status, statistics.median(starts), floods, attacked)


def main(arguments) -> int:
    """Returns the exit status: 0 whatever the numbers are."""
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is removed
    # The result alone goes to standard output; what the build and the programs say does not.
    result = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        if "BAOKMS_BIN" not in os.environ:
            build("release", [*INSTALLED, "baokms_bench"])
        fetch("openbao")
        workspace = BenchWorkspace()
        try:
            stand = Stand(workspace)
            report = measure(stand, options)
        except RigError:
            say(workspace.log_tails(20))
            raise
        finally:
            workspace.close()
    except (LaneError, RigError) as error:
        say(str(error))
        return 1
    if options.output == "json":
        result.write(json.dumps(report.as_json(), indent=2) + "\n")
    else:
        result.write(text_table(report, stand))
    result.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
