"""System calls made inside other processes, as an attacker who runs code there would make them.

Only root may do this to a process that is not dumpable. The calls are made in a copy of the process
(fork), which has its memory, user, capabilities, descriptors and filters: however a call ends, the
process itself goes on. Only for x86-64.
"""

import contextlib
import ctypes
import errno
import os
import signal
import struct
import time

from .tools import RigError

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long] * 4
LIBC.ptrace.restype = ctypes.c_long
WAIT_ALL = 0x40000000  # __WALL: also for children whose end is signalled by nothing

SEIZE, INTERRUPT, GET_MESSAGE, SET_OPTIONS = 0x4206, 0x4207, 0x4201, 0x4200
CONTINUE, DETACH, TO_NEXT_STOP, GET_REGISTERS, SET_REGISTERS = 7, 17, 24, 12, 13  # SYSCALL stops
MARK_CALLS, FOLLOW_FORK, FOLLOW_VFORK, FOLLOW_CLONE, SEE_EXEC = 1, 2, 4, 8, 16
SUSPEND_FILTERS = 1 << 21  # for this process, while it is traced
CALL_STOP = signal.SIGTRAP | 0x80
NEW_PROCESS_EVENTS, EXEC_EVENT = (1, 2, 3), 4

SCRATCH_BYTES = 65536
SECONDS = 10.0

# asm/unistd_64.h
NUMBERS = {
    "read": 0, "write": 1, "open": 2, "close": 3, "mmap": 9, "mprotect": 10, "rt_sigaction": 13,
    "ioctl": 16, "pipe": 22, "shmget": 29, "dup": 32, "getpid": 39, "socket": 41, "connect": 42,
    "sendto": 44, "sendmsg": 46, "shutdown": 48, "bind": 49, "listen": 50, "socketpair": 53,
    "setsockopt": 54, "getsockopt": 55, "clone": 56, "fork": 57, "vfork": 58, "execve": 59,
    "kill": 62, "fcntl": 72, "flock": 73, "truncate": 76, "getdents64": 217, "rename": 82,
    "mkdir": 83, "rmdir": 84, "link": 86, "unlink": 87, "symlink": 88, "chmod": 90, "chown": 92,
    "ptrace": 101, "setuid": 105, "setgid": 106, "setgroups": 116, "setresuid": 117,
    "capset": 126, "rt_sigqueueinfo": 129, "mknod": 133, "personality": 135,
    "sched_setscheduler": 144, "pivot_root": 155, "prctl": 157, "chroot": 161, "mount": 165,
    "umount2": 166, "sethostname": 170, "tkill": 200, "timer_create": 222, "timer_settime": 223, "tgkill": 234,
    "add_key": 248, "request_key": 249, "keyctl": 250, "inotify_init": 253, "openat": 257,
    "mkdirat": 258, "unlinkat": 263, "renameat": 264, "unshare": 272, "eventfd2": 290,
    "perf_event_open": 298, "fanotify_init": 300, "prlimit64": 302, "name_to_handle_at": 303,
    "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310, "process_vm_writev": 311,
    "kcmp": 312, "seccomp": 317, "memfd_create": 319, "bpf": 321, "execveat": 322,
    "userfaultfd": 323, "pidfd_send_signal": 424, "io_uring_setup": 425, "open_tree": 428,
    "fsopen": 430, "pidfd_open": 434, "clone3": 435, "openat2": 437, "pidfd_getfd": 438,
    "process_madvise": 440, "memfd_secret": 447,
}  # fmt: skip

REGISTERS = (
    "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss"
    " fs_base gs_base ds es fs gs"
).split()
ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")


class Registers(ctypes.Structure):
    """struct user_regs_struct (sys/user.h)."""

    _fields_ = [(name, ctypes.c_ulonglong) for name in REGISTERS]


class Refused(Exception):
    """The filter trapped a call. In life the handler of SIGSYS ends the process now."""


class Killed(Exception):
    """The process ended at a call; the argument is how (signal or exit status)."""


class Started(Exception):
    """The call replaced the process by another program, which was then ended."""


def _ptrace(request: int, pid: int, address: int = 0, data: int = 0) -> None:
    if LIBC.ptrace(request, pid, address, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace {request:#x}: {os.strerror(number)}")


def _wait(pid: int) -> int:
    """The status of the next stop or the end of a traced process."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        found, status = os.waitpid(pid, WAIT_ALL | os.WNOHANG)
        if found:
            return status
        time.sleep(0.0002)
    raise RigError(f"process {pid} neither stopped nor ended")


class Tracee:
    """A stopped process in which system calls can be made."""

    def __init__(self, pid: int):
        self.pid = pid
        self._memory = os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        self._base = self._registers()
        self._gate = self._syscall_instruction()
        self._scratch = self._used = 0
        self.children = []  # processes that calls have made; ended with this one

    def _registers(self) -> Registers:
        registers = Registers()
        _ptrace(GET_REGISTERS, self.pid, 0, ctypes.addressof(registers))
        return registers

    def _set(self, registers: Registers) -> None:
        _ptrace(SET_REGISTERS, self.pid, 0, ctypes.addressof(registers))

    def _syscall_instruction(self) -> int:
        with open(f"/proc/{self.pid}/maps") as maps:
            [line] = [line for line in maps if line.rstrip().endswith("[vdso]")]
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        return start + os.pread(self._memory, end - start, start).index(b"\x0f\x05")

    def call(self, name: str, *arguments) -> int:
        """Makes one call; returns what the kernel does: a result, or a negative errno. An argument
        that is text or bytes is put into memory, and its address is passed.
        """
        try:
            return self._call(name, arguments)
        except ProcessLookupError:  # somebody has killed it while it was stopped
            self._stopped(name)
            raise

    def _call(self, name: str, arguments) -> int:
        registers = Registers.from_buffer_copy(self._base)
        registers.rip, registers.rax = self._gate, NUMBERS[name]
        registers.orig_rax = (1 << 64) - 1  # no interrupted call is restarted instead
        for register, argument in zip(ARGUMENTS, [*arguments, 0, 0, 0, 0, 0, 0]):
            value = argument if isinstance(argument, int) else self.put(argument)
            setattr(registers, register, value & ((1 << 64) - 1))
        self._set(registers)
        self._run_to_call_stop(name)
        self._run_to_call_stop(name)
        if self._trapped():
            _ptrace(CONTINUE, self.pid)  # to the delivery of the signal, which never comes
            self._stopped(name)
            raise Refused(name)
        return ctypes.c_long(self._registers().rax).value

    def _run_to_call_stop(self, name: str) -> None:
        executed = False
        while True:
            _ptrace(TO_NEXT_STOP, self.pid)
            status = self._stopped(name)
            event = status >> 16
            if event in NEW_PROCESS_EVENTS:
                self.children.append(self._message())
            executed = executed or event == EXEC_EVENT
            if os.WSTOPSIG(status) == CALL_STOP:
                break
        if executed:
            raise Started(name)

    def _message(self) -> int:
        message = ctypes.c_ulong()
        _ptrace(GET_MESSAGE, self.pid, 0, ctypes.addressof(message))
        return message.value

    def _stopped(self, name: str) -> int:
        status = _wait(self.pid)
        if os.WIFSIGNALED(status):
            raise Killed(f"{name}: {signal.Signals(os.WTERMSIG(status)).name}")
        if os.WIFEXITED(status):
            raise Killed(f"{name}: exit status {os.WEXITSTATUS(status)}")
        return status

    def _trapped(self) -> bool:
        with open(f"/proc/{self.pid}/status") as lines:
            pending = next(int(line.split()[1], 16) for line in lines if line.startswith("SigPnd"))
        return bool(pending & (1 << (signal.SIGSYS - 1)))

    def put(self, data) -> int:
        """Puts bytes, or text with its end, into memory of the process; returns the address."""
        data = data.encode() + b"\0" if isinstance(data, str) else data
        if not self._scratch:
            self._scratch = self.call("mmap", 0, SCRATCH_BYTES, 3, 0x22, -1, 0)
        address = self._scratch + self._used
        os.pwrite(self._memory, data, address)
        self._used += (len(data) + 15) // 16 * 16
        return address

    def get(self, address: int, size: int) -> bytes:
        """Bytes out of its memory."""
        return os.pread(self._memory, size, address)

    def pointers(self, *values) -> int:
        """Puts an array of numbers of eight bytes into memory; returns its address."""
        return self.put(struct.pack(f"<{len(values)}q", *values))

    def restore(self) -> None:
        """Has the process go on where it was stopped, as if nothing had happened."""
        try:
            self._set(self._base)
            _ptrace(DETACH, self.pid)
        except ProcessLookupError:
            _wait(self.pid)  # killed meanwhile: its parent is told after its tracer

    def deliver(self, number: int) -> None:
        """Has the process go on with the signal that it was stopped for."""
        _ptrace(DETACH, self.pid, 0, number)

    def end(self) -> None:
        """Ends the process and those that it has made."""
        for pid in (*self.children, self.pid):
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                while not os.WIFSIGNALED(_wait(pid)):
                    pass
        self.close()

    def close(self) -> None:
        """Closes what the tracer has opened."""
        os.close(self._memory)


def _seize(pid: int, options: int) -> Tracee:
    _ptrace(SEIZE, pid, 0, options | MARK_CALLS)
    _ptrace(INTERRUPT, pid)
    _wait(pid)
    return Tracee(pid)


@contextlib.contextmanager
def copy_of(pid: int):
    """A copy of the process, to make calls in. The process is stopped for a few milliseconds."""
    new = FOLLOW_FORK | FOLLOW_VFORK | FOLLOW_CLONE
    original = _seize(pid, new | SUSPEND_FILTERS)
    try:
        original.call("clone", 0, 0, 0, 0, 0)
    finally:
        original.restore()
        original.close()
    [copied] = original.children
    _wait(copied)
    _ptrace(SET_OPTIONS, copied, 0, new | MARK_CALLS | SEE_EXEC)  # the filters are in force again
    copy = Tracee(copied)
    try:
        yield copy
    finally:
        copy.end()


def call_in(pid: int, name: str, *arguments) -> int:
    """Makes the call in the process itself, which then goes on; returns what call() returns. A
    refused call ends the process as it does without a tracer, and is not an exception here.
    """
    tracee = _seize(pid, 0)
    try:
        result = tracee.call(name, *arguments)
        tracee.restore()
        return result
    except Refused:
        tracee.deliver(signal.SIGSYS)
        return -errno.EPERM
    except Killed:
        return -errno.EPERM
    finally:
        tracee.close()
