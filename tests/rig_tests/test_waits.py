"""A wait ends at once when what it waits for cannot come any more."""

import tempfile
import time
import unittest
from pathlib import Path

from rig.daemon import Daemon
from rig.tools import RigError
from rig.waits import ConditionImpossible, wait_for

LONG = 30.0  # seconds; a test that waits that long has failed


class WaitsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.started = time.monotonic()

    def tearDown(self):
        self.assertLess(time.monotonic() - self.started, LONG / 2)

    def start(self, script: str, fatal=None) -> Daemon:
        log = self.folder / "program.log"
        daemon = Daemon("program", ["/bin/sh", "-c", script], log, fatal=fatal).start()
        self.addCleanup(daemon.kill)
        return daemon

    def test_a_program_that_ends_by_itself_ends_the_wait(self):
        self.start("echo the reason; exit 7")
        with self.assertRaisesRegex(ConditionImpossible, r"(?s)an answer.*status 7.*the reason"):
            wait_for(lambda: False, "an answer", LONG)

    def test_a_fatal_line_ends_the_wait_though_the_program_runs_on(self):
        daemon = self.start("echo all is well; echo fatal: no memory; sleep 60", fatal="fatal: .*")
        with self.assertRaisesRegex(ConditionImpossible, "program logged fatal: no memory"):
            wait_for(lambda: False, "an answer", LONG)
        self.assertTrue(daemon.alive)

    def test_fatal_lines_of_an_earlier_start_do_not_count(self):
        daemon = self.start("echo fatal: no memory; exit 1", fatal="fatal: .*")
        daemon.wait_exit()
        daemon.command[-1] = "sleep 60"
        daemon.start()
        with self.assertRaisesRegex(RigError, "in vain"):
            wait_for(lambda: False, "an answer", deadline=0.2)

    def test_what_a_program_did_before_it_ended_counts(self):
        done = self.folder / "done"
        daemon = self.start(f"touch {done}; exit 7")
        daemon._process.wait()
        self.assertTrue(wait_for(done.exists, "the file", LONG))

    def test_the_end_of_a_program_that_was_stopped_is_no_surprise(self):
        daemon = self.start("sleep 60")
        daemon.stop()
        with self.assertRaisesRegex(RigError, "in vain"):
            wait_for(lambda: False, "an answer", deadline=0.2)

    def test_hopeless_is_not_ignored_with_the_class_it_belongs_to(self):
        def condition():
            raise ConditionImpossible("the unit has failed")

        with self.assertRaisesRegex(ConditionImpossible, "the unit has failed"):
            wait_for(condition, "an answer", LONG, ignoring=(RigError,))
