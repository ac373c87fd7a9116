"""Where the programs under test and the programs of others are."""

import os
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


class RigError(Exception):
    """Something the rig needs is missing or did not happen in time."""


def binary(name: str) -> str:
    """The path of one of our programs; BAOKMS_BIN names another folder than build/release/bin."""
    folder = Path(os.environ.get("BAOKMS_BIN", REPOSITORY / "build" / "release" / "bin"))
    path = folder / name
    if not os.access(path, os.X_OK):
        raise RigError(f"{path} is not built")
    return str(path)


def provider_binary() -> str:
    """The path of bao-kms-provider."""
    return binary("bao-kms-provider")


def fetched(part: str) -> str:
    """The path of a program that tests/lab/fetch provides, for example "openbao" or "etcd".

    The variable that fetch prints for it (BAO, ETCD, ...) may be set beforehand and then wins.
    """
    variable = {"openbao": "BAO"}.get(part, part.split("=")[0].replace("-", "_").upper())
    if variable in os.environ:
        return os.environ[variable]
    script = REPOSITORY / "tests" / "lab" / "fetch"
    output = subprocess.run([script, part], check=True, stdout=subprocess.PIPE, text=True).stdout
    return output.strip().partition("=")[2]
