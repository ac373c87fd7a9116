"""Running providers to attack, at each isolation level, and unconfined processes to compare with."""

import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace

from redteam.deeds import AS_ROOT, ROOT, SEPARATE_USERS, SINGLE_USER, SUPERVISOR, USER, Scene
from rig import processes
from rig.provider import AGENT, PROGRAMS, SPAWNER, WORKER, Provider
from rig.tenant import Tenant
from rig.tools import binary
from rig.waits import wait_for

LEVELS = (SINGLE_USER, AS_ROOT, SEPARATE_USERS)
NOBODY = 65534  # the only user, or the one of the supervisor and the spawner
AGENT_USER, WORKER_USERS = 65501, (65502, 65503)
ALL_ROLES = (WORKER, AGENT, SPAWNER, SUPERVISOR)


def as_user(uid: int, capabilities: str = "") -> list:
    """Runs a command as a user with these capabilities, as a container or a unit would."""
    sets = ("bounding-set", "inh-caps", "ambient-caps")
    return [
        "/usr/bin/setpriv",
        f"--reuid={uid}",
        f"--regid={uid}",
        "--clear-groups",
        *(f"--{name}=-all{capabilities}" for name in sets),
        "--pdeathsig=KILL",
        "--",
    ]


USERS = {SINGLE_USER: NOBODY, AS_ROOT: 0, SEPARATE_USERS: NOBODY}
CAPABILITIES = {SEPARATE_USERS: ",+setuid,+setgid"}
ISOLATION = {
    SEPARATE_USERS: {
        "separateUsers": "require",
        "workerUsers": [f"{uid}:{uid}" for uid in WORKER_USERS],
        "authAgentUser": f"{AGENT_USER}:{AGENT_USER}",
    },
}
AS_MACHINE_ROOT = ["/usr/bin/unshare", "--mount", "--uts"]  # whose mounts and name are its own
WAIT = [sys.executable, "-c", "import signal; signal.pause()"]


def give(path, uid: int) -> None:
    """Gives a file, or a folder with all that is in it, to the user."""
    for folder, _, names in os.walk(path):
        for found in (folder, *(os.path.join(folder, name) for name in names)):
            os.chown(found, uid, uid)
    os.chown(path, uid, uid)


class Tree:
    """A healthy provider at one level; uid is its user, or that of its supervisor."""

    def __init__(self, workspace, openbao, level: str):
        self.level = level
        self.uid = USERS[level]
        workspace.root.chmod(0o711)
        programs = self._install(workspace)
        changes = {
            "server": {"socketGroup": str(self.uid)},
            "auth": {"loginBudgetPerMinute": 600},  # for the children that the tests end
            "isolation": ISOLATION.get(level, {}),
        }
        self.provider = Provider(workspace, Tenant(openbao), changes, name=f"redteam-{level}")
        self.provider.install_policy()
        folder = self.provider.folder
        shutil.copy(openbao.ca_file, folder / "ca.pem")
        self.provider.write_config({"openbao": {"caCertFile": str(folder / "ca.pem")}})
        self.provider.daemon.argv[0] = f"{programs}/{SUPERVISOR}"
        through = as_user(self.uid, CAPABILITIES.get(level, ""))
        self.provider.daemon.command = [*through, *self.provider.daemon.argv]
        self.provider.daemon.fatal = None  # calls are refused here because tests make them
        give(self._place_credential(workspace), AGENT_USER if level == SEPARATE_USERS else self.uid)
        for path in (folder, self.provider.socket_path.parent):
            give(path, self.uid)
        self.provider.start_healthy()
        self.look()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._abstract = socket.socket(socket.AF_UNIX)
        self._abstract.bind(f"\0{folder.name}-{os.getpid()}")
        self._abstract.listen()
        self._idle = {
            USER: [start_idle(as_user(self.uid)) for _ in range(2)],
            ROOT: [start_idle(AS_MACHINE_ROOT)],
        }

    def _place_credential(self, workspace):
        """The credential in a folder of its own; returns the folder."""
        credentials = workspace.folder("credentials")
        self.provider.jwt_path = credentials / "identity.jwt"
        self.provider.write_config({"auth": {"jwt": {"jwtFile": str(self.provider.jwt_path)}}})
        self.provider.write_jwt()
        return credentials

    @staticmethod
    def _install(workspace):
        """The programs in a folder that every user may look into, as a package leaves them."""
        folder = workspace.folder("bin", mode=0o755)
        for name in PROGRAMS:
            shutil.copy(binary(name), folder / name)
            (folder / name).chmod(0o755 if name == SUPERVISOR else 0o111)
        return folder

    def look(self) -> None:
        """Waits until the tree is complete and healthy, and notes its processes."""
        wait_for(self._is_complete, "a complete tree")
        self.provider.wait_healthy()

    def _is_complete(self) -> bool:
        found = self.provider.processes()
        self.pids = {
            role: sorted(process.pid for process in processes.running(found, [role]))
            for role in ALL_ROLES
        }
        return [len(self.pids[role]) for role in ALL_ROLES] == [2, 1, 1, 1] and (
            self.provider.ready()[1]["workers_ready"] == 2
        )

    def pid_of(self, role: str) -> int:
        """A process of the role, as look() found it."""
        return self.pids[role][0]

    def scene_of(self, role: str) -> Scene:
        """What an attacker in a process of the role finds."""
        sibling = self.pids[WORKER][-1]
        return replace(self._scene(sibling), makes_sockets=role == SUPERVISOR)

    def control(self, user: str):
        """(process, scene) of an unconfined process of the user."""
        [process, *_] = self._idle[user]
        return process.pid, replace(self._scene(self._idle[USER][-1].pid), makes_sockets=True)

    def _scene(self, sibling: int) -> Scene:
        folder = self.provider.folder
        return Scene(
            sibling=sibling,
            address=processes.stack_of(sibling),
            folder=folder,
            credential=self.provider.jwt_path,
            registry=folder / "state" / "key-registry.json",
            port=self._listener.getsockname()[1],
            abstract=self._abstract.getsockname()[1:],
            worker_user=WORKER_USERS[0],
        )

    def was_reached(self) -> bool:
        """Whether somebody has connected to one of the listeners since the last time."""
        reached = False
        for listener in (self._listener, self._abstract):
            listener.setblocking(False)
            try:
                while True:
                    listener.accept()[0].close()
                    reached = True
            except BlockingIOError:
                pass
        return reached

    def close(self) -> None:
        """Ends what does not belong to the workspace."""
        for idle in sum(self._idle.values(), []):
            idle.kill()
            idle.wait()
        self._listener.close()
        self._abstract.close()


def start_idle(through) -> subprocess.Popen:
    """A process without a filter that waits."""
    process = subprocess.Popen([*through, *WAIT], env={}, cwd="/")
    wait_for(lambda: processes.program(process.pid).startswith("python"), "a process to compare with")
    return process
