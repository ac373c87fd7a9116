"""What /proc says about a process tree."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

SECCOMP_MODES = {"0": "none", "1": "strict", "2": "filter", "3": "dead"}


@dataclass(frozen=True)
class Process:
    """One process at one moment."""

    pid: int
    parent: int
    name: str
    uid: int
    seccomp: str  # none, strict or filter; dead: a filter has ended it
    filters: int  # of its main thread
    no_new_privs: bool

    @property
    def pss_kib(self) -> int:
        """What it costs in memory now. Not read with the rest, because the kernel counts for long."""
        return _pss_kib(Path("/proc") / str(self.pid))

    @property
    def user(self) -> str:
        """The user's name, or the number where there is none."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)


def _pss_kib(folder: Path) -> int:
    try:
        for line in (folder / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass  # not ours to read, or gone
    return 0


def read(pid: int) -> Process:
    """Raises OSError when the process is gone."""
    folder = Path("/proc") / str(pid)
    fields = {}
    for line in (folder / "status").read_text().splitlines():
        name, _, value = line.partition(":")
        fields[name] = value.split()
    return Process(
        pid=pid,
        parent=int(fields["PPid"][0]),
        name=" ".join(fields["Name"]),
        uid=int(fields["Uid"][1]),
        seccomp=SECCOMP_MODES[fields["Seccomp"][0]],
        filters=int(fields["Seccomp_filters"][0]),
        no_new_privs=fields["NoNewPrivs"][0] == "1",
    )


def own_filters(pid: int) -> list:
    """How many filters each thread of the process has besides those of this process, which may run
    in a container; the main thread comes first.
    """
    ours = read(os.getpid()).filters
    threads = [int(folder.name) for folder in (Path("/proc") / str(pid) / "task").iterdir()]
    threads.sort(key=lambda thread: (thread != pid, thread))
    return [read(thread).filters - ours for thread in threads]


def start_time(pid: int) -> int:
    """When the process started, in clock ticks since boot; 0 when it is gone or a zombie."""
    try:
        stat = (Path("/proc") / str(pid) / "stat").read_text()
    except OSError:
        return 0
    fields = stat.rpartition(")")[2].split()  # from the third one, the state, on
    return 0 if fields[0] in ("Z", "X") else int(fields[19])


def is_running(pid: int) -> bool:
    """False for a process that is gone or a zombie."""
    return start_time(pid) != 0


def tree(root_pid: int) -> list:
    """The process root_pid and everything below it, parents before children."""
    everyone = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                process = read(int(folder.name))
            except OSError:
                continue  # ended while we looked
            everyone.setdefault(process.parent, []).append(process)
    try:
        found = [read(root_pid)]
    except OSError:
        return []
    for process in found:  # grows while it is walked
        found.extend(sorted(everyone.get(process.pid, []), key=lambda child: child.pid))
    return found


def program(pid: int) -> str:
    """The file name of the program that the process runs."""
    return os.path.basename(os.readlink(f"/proc/{pid}/exe"))


def running(found, programs) -> list:
    """Those of the processes found that run one of the programs, without any that has just ended."""
    kept = []
    for process in found:
        try:
            if program(process.pid) in programs:
                kept.append(process)
        except FileNotFoundError:
            pass
    return kept


def mapped_libraries(pid: int) -> set:
    """The file names of the shared libraries that the process has mapped."""
    lines = (Path("/proc") / str(pid) / "maps").read_text().splitlines()
    paths = {line.split(maxsplit=5)[5] for line in lines if len(line.split(maxsplit=5)) == 6}
    return {os.path.basename(path) for path in paths if ".so" in path}


def stack_of(pid: int) -> int:
    """The address of the newest page of the main thread's stack."""
    with open(f"/proc/{pid}/maps") as maps:
        [line] = [line for line in maps if line.rstrip().endswith("[stack]")]
    return int(line.split("-")[0], 16)


def table(processes) -> str:
    """A text table for people."""
    rows = [("PID", "PARENT", "NAME", "USER", "UID", "SECCOMP", "NO_NEW_PRIVS", "PSS")]
    for process in processes:
        rows.append(
            (
                str(process.pid),
                str(process.parent),
                process.name,
                process.user,
                str(process.uid),
                process.seccomp,
                "yes" if process.no_new_privs else "no",
                f"{process.pss_kib / 1024:.1f} MB",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    )
