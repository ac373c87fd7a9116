"""What an attacker who runs code in one of the processes would try, as system calls (rig/tracer.py),
and how each attempt has to end in each process.

Every deed is also done outside of the sandboxes, by a process without a filter: of the provider's
user, or of root where the deed needs a capability. There it has to work, so that no deed fails for
another reason than what it is meant to show.
"""

import errno
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path

from rig.provider import AGENT, SPAWNER, WORKER
from rig.tracer import Killed, Refused, Started

SUPERVISOR = "bao-kms-provider"
SINGLE_USER, SEPARATE_USERS = "single-user", "separate-users"
AS_ROOT = "single-user-as-root"  # uid 0 without capabilities, as in a container
DONE = "done"
REFUSED = "refused"  # the handler of SIGSYS reports the call and ends the process
KILLED = "killed"  # at once, without a handler
NO_EFFECT = "no effect"  # the call returns success, and nothing happens
ANSWERED = "answered"  # of a control: the kernel knows the call, whatever its options allow

USER, ROOT = "user", "root"  # whose process is the control

AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
O_WRONLY, O_CREAT, O_DIRECTORY = os.O_WRONLY, os.O_CREAT, os.O_DIRECTORY
SUPERVISOR_CHANNEL = 3  # ipc/child_descriptors.h
AF_UNIX, AF_INET, AF_NETLINK, AF_PACKET = 1, 2, 16, 17
STREAM, DATAGRAM, RAW = 1, 2, 3
MPTCP = 262
FASTOPEN, NO_SIGNAL = 0x20000000, 0x4000
SIGCHLD, SIGSYS = 17, 31
NEW_USER, NEW_MOUNTS = 0x10000000, 0x00020000
PAGE = 4096


@dataclass(frozen=True)
class Scene:
    """What there is around one process that is attacked from."""

    sibling: int  # another process of the provider, for a control another one of its user
    address: int  # of memory of the sibling that can be read and written
    folder: Path  # which the user may write to
    credential: Path
    registry: Path
    port: int  # where a listener of the attacker waits
    abstract: bytes  # the name of one in the abstract namespace
    worker_user: int  # whom only the spawner may become, where each role has a user of its own
    makes_sockets: bool = False  # the process may make sockets; otherwise its channel has to do

    def socket(self, process) -> int:
        """A socket that a call can be tried with."""
        if not self.makes_sockets:
            return SUPERVISOR_CHANNEL
        return process.call("socket", AF_INET, STREAM, 0)

    def listener(self) -> bytes:
        """The listener's address."""
        return struct.pack("<H", AF_INET) + struct.pack(">HI", self.port, 0x7F000001) + bytes(8)


@dataclass(frozen=True)
class Deed:
    """An attempt: run(process, scene) returns what the deciding call does."""

    name: str
    run: object
    worker: str = REFUSED
    agent: str = REFUSED
    spawner: str = REFUSED
    supervisor: str = "EPERM"
    control: str = DONE
    by: str = USER  # the control's user
    levels: dict = field(default_factory=dict)  # {level: {process: outcome}}, where it differs

    def expected(self, level: str) -> dict:
        """How the deed ends in each process."""
        of_all = {
            WORKER: self.worker,
            AGENT: self.agent,
            SPAWNER: self.spawner,
            SUPERVISOR: self.supervisor,
        }
        return {**of_all, **self.levels.get(level, {})}


def outcome(deed: Deed, process, scene: Scene) -> str:
    """How the deed ends in this process."""
    try:
        result = deed.run(process, scene)
    except Refused:
        return REFUSED
    except Killed:
        return KILLED
    except Started:
        return DONE
    if isinstance(result, str):
        return result
    return DONE if result >= 0 else errno.errorcode[-result]


def simple(name: str, *arguments):
    """The deed of one call with fixed arguments."""
    return lambda process, scene: process.call(name, *arguments)


def killed(name: str, run, **more) -> Deed:
    """A deed at whose call the children are killed at once."""
    return Deed(name, run, KILLED, KILLED, KILLED, **more)


def open_file(process, path, flags=0) -> int:
    return process.call("openat", AT_FDCWD, str(path), flags | os.O_CLOEXEC, 0o600)


def opens(name_of, flags=0):
    """Opens what name_of(scene) names."""
    return lambda process, scene: open_file(process, name_of(scene), flags)


def fresh(scene: Scene, name: str) -> Path:
    """A new file of the user that may be lost."""
    path = scene.folder / name
    path.write_text("x")
    owner = scene.folder.stat()
    os.chown(path, owner.st_uid, owner.st_gid)
    return path


def list_directory(process, scene):
    directory = open_file(process, scene.folder, O_DIRECTORY)
    return process.call("getdents64", directory, process.put(bytes(1024)), 1024)


def make_directory(process, scene):
    return process.call("mkdir", f"{scene.folder}/made-by-{process.pid}", 0o700)


def make_link(process, scene):
    return process.call("symlink", "/etc/passwd", f"{scene.folder}/link-by-{process.pid}")


FILES = [
    Deed("read a file of the system", opens(lambda scene: "/etc/passwd"),
         agent="EACCES", spawner=DONE, supervisor=DONE),
    Deed("read a file of other programs", opens(lambda scene: "/usr/lib/os-release"),
         agent="EACCES", spawner=DONE, supervisor="EACCES"),
    Deed("read the credential", opens(lambda scene: scene.credential),
         agent=DONE, spawner=DONE, supervisor="EACCES", by=ROOT,
         levels={SEPARATE_USERS: {SPAWNER: "EACCES"}}),
    Deed("read the registry", opens(lambda scene: scene.registry),
         agent="EACCES", spawner=DONE, supervisor=DONE),
    Deed("write the credential", opens(lambda scene: scene.credential, O_WRONLY),
         supervisor="EACCES", by=ROOT),
    Deed("write the registry", opens(lambda scene: scene.registry, O_WRONLY), supervisor=DONE),
    Deed("create a file", opens(lambda scene: scene.folder / "created", O_WRONLY | O_CREAT),
         supervisor="EACCES"),
    Deed("open a file by another call", simple("open", "/etc/passwd", 0)),
    Deed("open a file by its handle", simple("open_by_handle_at", -1, bytes(16), 0),
         KILLED, KILLED, KILLED, control=ANSWERED),
    Deed("list a directory", list_directory),
    Deed("make a directory", make_directory),
    Deed("make a symbolic link", make_link),
    Deed("make a device", lambda process, scene: process.call(
        "mknod", f"{scene.folder}/device-by-{process.pid}", 0o20600, 0x103), by=ROOT),
    Deed("change a file's mode",
         lambda process, scene: process.call("chmod", str(fresh(scene, "mode")), 0o600)),
    Deed("truncate a file",
         lambda process, scene: process.call("truncate", str(fresh(scene, "length")), 0)),
    Deed("remove a file", lambda process, scene: process.call("unlink", str(fresh(scene, "gone"))),
         supervisor="EACCES"),
    Deed("make a file in memory", simple("memfd_create", "memory", 0)),
    Deed("watch files", simple("inotify_init")),
    Deed("watch all files", simple("fanotify_init", 0, 0), by=ROOT),
]  # fmt: skip


def connect_to_abstract_socket(process, scene):
    made = process.call("socket", AF_UNIX, STREAM, 0)
    if made < 0:
        return made
    name = struct.pack("<H", AF_UNIX) + b"\0" + scene.abstract
    return process.call("connect", made, name, len(name))


def connect_elsewhere(process, scene):
    """The listener tells what the call's success does not."""
    result = process.call("connect", scene.socket(process), scene.listener(), 16)
    return NO_EFFECT if result == 0 and not scene.makes_sockets else result


def connect_by_mptcp(process, scene):
    """Landlock judges the ports of TCP alone."""
    made = process.call("socket", AF_INET, STREAM, MPTCP)
    return made if made < 0 else process.call("connect", made, scene.listener(), 16)


def send_elsewhere(process, scene):
    return process.call(
        "sendto", scene.socket(process), b"x", 1, FASTOPEN | NO_SIGNAL, scene.listener(), 16
    )


def message(process, name: bytes = b"", control: bytes = b"", text: bytes = b"x") -> int:
    """A struct msghdr; returns its address."""
    part = process.pointers(process.put(text), len(text))
    parts = (process.put(name) if name else 0, len(name), part, 1)
    return process.pointers(*parts, process.put(control) if control else 0, len(control), 0)


def send_message_elsewhere(process, scene):
    socket = scene.socket(process)
    return process.call("sendmsg", socket, message(process, scene.listener()), FASTOPEN | NO_SIGNAL)


def make_datagram_pair(process, scene):
    return process.call("socketpair", AF_UNIX, DATAGRAM, 0, process.put(bytes(8)))


def bind_a_port(process, scene):
    address = struct.pack("<H", AF_INET) + bytes(14)
    return process.call("bind", scene.socket(process), address, 16)


def shut_down(process, scene):
    """Of a socket that connects nothing the kernel says so, of a channel it would shut it down."""
    result = process.call("shutdown", scene.socket(process), 2)
    return DONE if result in (0, -errno.ENOTCONN) else result


SOCKETS = [
    Deed("make an internet socket", simple("socket", AF_INET, STREAM, 0),
         spawner="EACCES", supervisor=DONE),
    Deed("make a local socket", simple("socket", AF_UNIX, STREAM, 0),
         spawner="EACCES", supervisor=DONE),
    Deed("make a local datagram socket", simple("socket", AF_UNIX, DATAGRAM, 0), spawner="EACCES"),
    Deed("make a netlink socket", simple("socket", AF_NETLINK, RAW, 0), spawner="EACCES"),
    Deed("make a packet socket", simple("socket", AF_PACKET, RAW, 0), spawner="EACCES", by=ROOT),
    Deed("make a pair of datagram sockets", make_datagram_pair),
    Deed("connect to an abstract socket", connect_to_abstract_socket, spawner="EACCES"),
    Deed("connect elsewhere", connect_elsewhere,
         NO_EFFECT, NO_EFFECT, NO_EFFECT, supervisor="EACCES"),
    Deed("connect elsewhere by MPTCP", connect_by_mptcp, spawner="EACCES"),
    Deed("connect elsewhere by sendto", send_elsewhere),
    Deed("connect elsewhere by sendmsg", send_message_elsewhere),
    Deed("bind a port", bind_a_port, supervisor="EACCES"),
    Deed("listen", lambda process, scene: process.call("listen", scene.socket(process), 1),
         supervisor=DONE),
    Deed("shut a channel down", shut_down, supervisor=DONE),
]  # fmt: skip


def execute_descriptor(process, scene):
    program = open_file(process, "/bin/true")
    arguments = process.pointers(process.put("true"), 0)
    return process.call("execveat", program, "", arguments, 0, AT_EMPTY_PATH)


def clone3(process, scene):
    arguments = process.pointers(0, 0, 0, 0, SIGCHLD, 0, 0, 0)
    return process.call("clone3", arguments, 64)


PROGRAMS = [
    Deed("execute a program", lambda process, scene: process.call(
        "execve", "/bin/true", process.pointers(process.put("true"), 0), 0)),
    Deed("execute an open file", execute_descriptor, spawner=DONE),
    Deed("fork", simple("clone", SIGCHLD, 0, 0, 0, 0), spawner=DONE),
    Deed("fork by the old call", simple("fork")),
    Deed("fork by the new call", clone3, "ENOSYS", "ENOSYS", "ENOSYS", "ENOSYS"),
    Deed("fork into a user namespace", simple("clone", NEW_USER | SIGCHLD, 0, 0, 0, 0), by=ROOT),
    Deed("map memory that can be executed", simple("mmap", 0, PAGE, 5, 0x22, -1, 0), spawner=DONE),
    Deed("make memory executable",
         lambda process, scene: process.call("mprotect", process.put(b"x") & -PAGE, PAGE, 5),
         spawner=DONE),
    Deed("take a gigabyte of memory", simple("mmap", 0, 1 << 30, 3, 0x22, -1, 0),
         "ENOMEM", "ENOMEM", DONE, supervisor=DONE),
    # None of these is counted by the limit of a process's data. The first one costs page tables.
    Deed("reserve a terabyte to read", simple("mmap", 0, 1 << 40, 1, 0x22, -1, 0),
         "ENOMEM", "ENOMEM", DONE, supervisor=DONE),
    Deed("take a gigabyte of shared memory", simple("mmap", 0, 1 << 30, 3, 0x21, -1, 0),
         spawner=DONE),
    Deed("take a gigabyte for a stack", simple("mmap", 0, 1 << 30, 3, 0x122, -1, 0), spawner=DONE),
    Deed("make shared memory", simple("shmget", 0, PAGE, 0o1600)),
    killed("change how memory is mapped", simple("personality", 0xFFFFFFFF)),
]  # fmt: skip


def opens_of_sibling(name: str, flags=0):
    return opens(lambda scene: f"/proc/{scene.sibling}/{name}", flags)


def use_memory(name: str):
    """process_vm_readv or process_vm_writev of eight bytes of the sibling."""

    def run(process, scene):
        own = process.pointers(process.pointers(0), 8)
        theirs = process.pointers(scene.address, 8)
        return process.call(name, scene.sibling, own, 1, theirs, 1, 0)

    return run


def send_with(name: str, *arguments):
    """A call whose first argument is the sibling."""
    return lambda process, scene: process.call(name, scene.sibling, *arguments)


def control_of_channel(command: int, argument=None):
    """fcntl of a socket; the argument is the sibling's number unless it is given."""
    return lambda process, scene: process.call(
        "fcntl", scene.socket(process), command, scene.sibling if argument is None else argument
    )


F_SETOWN, F_SETSIG, F_SETFL, O_ASYNC, FIOASYNC = 8, 10, 4, 0o20000, 0x5452
PTRACE_SEIZE = 0x4206
PROCESSES = [
    killed("trace a process", lambda process, scene: process.call(
        "ptrace", PTRACE_SEIZE, scene.sibling, 0, 0)),
    killed("read a process's memory", use_memory("process_vm_readv")),
    killed("write a process's memory", use_memory("process_vm_writev")),
    Deed("open a process's memory", opens_of_sibling("mem", os.O_RDWR),
         supervisor="EACCES"),
    Deed("open a process's memory to read", opens_of_sibling("mem"),
         agent="EACCES", spawner="EACCES", supervisor="EACCES"),
    Deed("read a process's environment", opens_of_sibling("environ"),
         agent="EACCES", spawner="EACCES", supervisor="EACCES"),
    Deed("read where a process's memory is", opens_of_sibling("maps"),
         agent="EACCES", spawner="EACCES", supervisor="EACCES"),
    Deed("list a process's descriptors", opens_of_sibling("fd", O_DIRECTORY),
         agent="EACCES", spawner="EACCES", supervisor="EACCES",
         levels={AS_ROOT: {SPAWNER: DONE}}),  # root owns the list
    Deed("open a process's descriptor", opens_of_sibling("fd/0"),
         agent="EACCES", spawner="EACCES", supervisor="EACCES"),
    Deed("write its own code", opens(lambda scene: "/proc/self/mem", os.O_RDWR),
         supervisor="EACCES"),
    Deed("hold a process", send_with("pidfd_open", 0)),
    killed("take a process's descriptor", simple("pidfd_getfd", -1, 0, 0), control="EBADF"),
    Deed("signal by a descriptor of a process", simple("pidfd_send_signal", -1, 0, 0, 0),
         control="EBADF"),
    Deed("signal a process", send_with("kill", 0), spawner=DONE,
         levels={SEPARATE_USERS: {SPAWNER: "EPERM"}}),
    Deed("signal a thread",
         lambda process, scene: process.call("tgkill", scene.sibling, scene.sibling, 0)),
    Deed("signal a thread by the old call", send_with("tkill", 0)),
    Deed("signal a process with a value", lambda process, scene: process.call(
        "rt_sigqueueinfo", scene.sibling, 0, struct.pack("<iii", 0, 0, -1) + bytes(116))),
    Deed("become a signal's sender by a descriptor", control_of_channel(F_SETOWN)),
    Deed("choose the signal of a descriptor", control_of_channel(F_SETSIG, 9)),
    Deed("have signals sent by a descriptor", control_of_channel(F_SETFL, O_ASYNC)),
    Deed("have signals sent by ioctl", lambda process, scene: process.call(
        "ioctl", scene.socket(process), FIOASYNC, process.pointers(0))),
    Deed("change a process's limits", send_with("prlimit64", 4, bytes(16), 0), spawner=DONE,
         levels={SEPARATE_USERS: {SPAWNER: "EPERM"}}),
    Deed("change a process's scheduling", send_with("sched_setscheduler", 0, bytes(8))),
    killed("advise on a process's memory", simple("process_madvise", -1, 0, 0, 0, 0),
           control=ANSWERED),
    killed("compare with a process", lambda process, scene: process.call(
        "kcmp", scene.sibling, scene.sibling, 1, 0, 0), control=ANSWERED),
]  # fmt: skip


def mount(process, scene):
    return process.call("mount", "none", str(scene.folder), "tmpfs", 0, 0)


KERNEL = [
    killed("set up io_uring", simple("io_uring_setup", 1, bytes(120)), control=ANSWERED),
    killed("handle page faults", simple("userfaultfd", 0), by=ROOT, control=ANSWERED),
    killed("load code into the kernel", simple("bpf", 0, bytes(128), 128), by=ROOT,
           control=ANSWERED),
    killed("add a key to a keyring", simple("add_key", "user", "redteam", b"x", 1, -3),
           control=ANSWERED),
    killed("ask for a key", simple("request_key", "user", "redteam", 0, 0), control=ANSWERED),
    killed("use a keyring", simple("keyctl", 0, -3, 1), control=ANSWERED),
    killed("count events", simple("perf_event_open", bytes(128), 0, -1, -1, 0), control=ANSWERED),
    killed("mount", mount, by=ROOT),
    killed("unmount", simple("umount2", "/nowhere", 0), by=ROOT, control="ENOENT"),
    killed("open a tree of mounts", simple("open_tree", AT_FDCWD, "/", 0), by=ROOT),
    killed("open a file system", simple("fsopen", "tmpfs", 0), by=ROOT),
    killed("change the root of the mounts", simple("pivot_root", "/nowhere", "/nowhere"),
           by=ROOT, control="ENOENT"),
    killed("change the root", simple("chroot", "/"), by=ROOT),
    killed("leave the namespaces", simple("unshare", NEW_MOUNTS), by=ROOT),
    killed("make a user namespace", simple("unshare", NEW_USER), by=ROOT),
    killed("enter a namespace", simple("setns", -1, 0), by=ROOT, control="EBADF"),
    Deed("rename the machine", simple("sethostname", "redteam", 7), by=ROOT),
]  # fmt: skip

PR_SET_DUMPABLE = 4
CAPABILITIES, CAP_SYS_PTRACE = 0x20080522, 1 << 19  # _LINUX_CAPABILITY_VERSION_3


def take_capability(process, scene):
    sets = struct.pack("<6I", CAP_SYS_PTRACE, CAP_SYS_PTRACE, 0, 0, 0, 0)
    return process.call("capset", struct.pack("<Ii", CAPABILITIES, 0), sets)


PRIVILEGES = [
    Deed("become a worker's user", lambda process, scene: process.call(
        "setresuid", *[scene.worker_user] * 3), by=ROOT,
         levels={SEPARATE_USERS: {SPAWNER: DONE}}),
    Deed("become root", simple("setresuid", 0, 0, 0), by=ROOT),
    Deed("become another user", simple("setuid", 1), by=ROOT),
    Deed("join another group", simple("setgid", 1), by=ROOT),
    Deed("join other groups", simple("setgroups", 1, bytes(4)), by=ROOT),
    Deed("take a capability", take_capability, by=ROOT, levels={SEPARATE_USERS: {SPAWNER: "EPERM"}}),
    Deed("become dumpable", simple("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0), spawner=DONE),
    Deed("replace the handler of refused calls",
         lambda process, scene: process.call("rt_sigaction", SIGSYS, 0, process.put(bytes(64)), 8),
         spawner=DONE, supervisor=DONE),
    Deed("make a timer",
         lambda process, scene: process.call("timer_create", 1, 0, process.pointers(0)),
         spawner=DONE),
    Deed("add a filter", simple("seccomp", 2, 0, struct.pack("<I", 0x7FFF0000)), spawner=DONE),
]  # fmt: skip

DEEDS = [*FILES, *SOCKETS, *PROGRAMS, *PROCESSES, *KERNEL, *PRIVILEGES]
