#!/usr/bin/env python3
"""Fails when a folder includes another folder, or a third-party library, that its layer may not see.

usage: layers.py ROOT
The table is the architecture's (docs/architecture.md, "Code layout"): each folder and what it may
include. A line that is not in the table is forbidden.
"""
import pathlib
import re
import sys

BASE = {"common/base"}
OURS = {
    "common/base": BASE,
    "common/contract": BASE | {"common/contract"},
    "ipc": BASE | {"ipc", "proto"},
    "common/setup": BASE | {"common/contract", "ipc", "proto", "common/setup"},
    "common/openbao": BASE | {"common/contract", "common/setup", "ipc", "proto", "common/openbao"},
    "worker": BASE | {"common/contract", "common/setup", "ipc", "proto", "common/openbao", "worker"},
    "authagent": BASE | {"common/contract", "common/setup", "ipc", "proto", "common/openbao", "authagent"},
    "supervisor": BASE | {"common/contract", "common/setup", "ipc", "proto", "supervisor"},
}
THIRD_PARTY = {
    "common/base": {"seccomp", "sys/capability"},
    "common/contract": {"openssl", "nlohmann"},
    "common/setup": {"openssl"},
    "ipc": {"google/protobuf"},
    "common/openbao": {"curl", "openssl"},
    "worker": {"google/protobuf", "openssl", "seccomp"},
    "authagent": {"google/protobuf", "openssl", "seccomp", "p11-kit"},
    "supervisor": {"grpc", "grpcpp", "google/protobuf", "prometheus", "boost", "yaml-cpp",
                   "nlohmann", "openssl", "seccomp", "ares", "CLI", "absl"},
}
# Only these folders of the supervisor may see the expensive or dangerous libraries.
ONLY_IN = {
    "grpc": {"supervisor/kms", "supervisor/cli", "supervisor/etcd"},
    "grpcpp": {"supervisor/kms", "supervisor/cli", "supervisor/etcd"},
    "prometheus": {"supervisor/observe"},
    "boost": {"supervisor/observe"},
    "yaml-cpp": {"supervisor/config"},
    "absl": {"supervisor/config"},
    "CLI": {"supervisor/cli"},
    "ares": {"supervisor/broker"},
    "p11-kit": {"authagent/pkcs11"},
    "sys/capability": {"common/base"},
}
KNOWN = {"seccomp", "sys/capability", "openssl", "libp11", "p11-kit", "curl", "nlohmann", "grpc", "grpcpp", "google/protobuf", "prometheus",
         "boost", "yaml-cpp", "systemd", "absl", "ares", "CLI"}


def library_of(name: str) -> str | None:
    bare = name.removesuffix(".h").removesuffix(".hpp")
    return next((k for k in sorted(KNOWN) if bare == k or bare.startswith(k + "/")), None)


def problem_of(root: pathlib.Path, folder: str, path: pathlib.Path, line: str) -> str | None:
    relative = path.relative_to(root).as_posix()
    if m := re.match(r'\s*#\s*include\s+"([^"]+)"', line):
        if not any(m[1].startswith(allowed + "/") for allowed in OURS[folder]):
            return f"{folder}/ may not include {m[1]}"
        if m[1].startswith("proto/kms_v2") and not relative.startswith(("supervisor/kms/", "supervisor/cli/")):
            return f"only supervisor/kms and supervisor/cli see the KMS service, not {relative}"
    elif m := re.match(r"\s*#\s*include\s+<([^>]+)>", line):
        library = library_of(m[1])
        if library and library not in THIRD_PARTY[folder]:
            return f"{folder}/ may not use {library}"
        if library in ONLY_IN and not any(relative.startswith(place + "/") for place in ONLY_IN[library]):
            return f"{library} belongs to {', '.join(sorted(ONLY_IN[library]))}"
    return None


def main() -> int:
    root = pathlib.Path(sys.argv[1])
    bad, files = [], 0
    for folder in OURS:
        for path in sorted((root / folder).rglob("*.[ch]*")):
            files += 1
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if problem := problem_of(root, folder, path, line):
                    bad.append(f"{path.relative_to(root)}:{number}: {problem}")
    print("\n".join(bad) or f"layers: {files} files keep to the table")
    return 1 if bad or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
