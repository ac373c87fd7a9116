"""Users for the roles of a provider, by numbers: they need not exist anywhere."""

import subprocess

SUPERVISOR_IDS, AGENT_IDS = (64001, 64101), (64002, 64102)
WORKER_IDS = [(64003 + slot, 64103 + slot) for slot in range(16)]

# A program started through this has CAP_SETUID and CAP_SETGID, and can gain no other.
ONLY_USER_CAPABILITIES = [
    "/usr/bin/setpriv",
    "--bounding-set=-all,+setuid,+setgid",
    "--inh-caps=-all",
    "--",
]

# A program started through this has no capability.
NO_CAPABILITIES = ["/usr/bin/setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]


def _text(ids) -> str:
    return f"{ids[0]}:{ids[1]}"


def separate_users(config: dict) -> dict:
    """What gives each role of this configuration, and each worker, a user of its own."""
    workers = config.get("isolation", {}).get("workers", 2)
    return {
        "server": {"socketGroup": str(SUPERVISOR_IDS[1])},
        "isolation": {
            "separateUsers": "require",
            "supervisorUser": _text(SUPERVISOR_IDS),
            "workerUsers": [_text(ids) for ids in WORKER_IDS[:workers]],
            "authAgentUser": _text(AGENT_IDS),
        },
    }


def reads(ids, path) -> bool:
    """Whether a process of this user, without privileges, can read the file."""
    become = ["--reuid", str(ids[0]), "--regid", str(ids[1]), "--clear-groups"]
    command = [NO_CAPABILITIES[0], *become, *NO_CAPABILITIES[1:], "/bin/cat", str(path)]
    return subprocess.run(command, capture_output=True).returncode == 0
