"""The provider's configuration file, as a dict with what tests need as defaults."""

import copy
import os
from pathlib import Path

import yaml

from .tenant import AUDIENCE, ISSUER, Tenant

LINEAGE = "3f6c1b0a9d5e4f7788aa00112233445f"


def merged(base: dict, changes: dict) -> dict:
    """base with changes laid over it, dict by dict; a value of None removes the key."""
    result = copy.deepcopy(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def provider_config(tenant: Tenant, folder: Path, socket_path: Path, ports) -> dict:
    """A complete configuration for tenant with short intervals; ports = (metrics, health)."""
    openbao = tenant.openbao
    return {
        "configVersion": "v1alpha1",
        "server": {
            "socketPath": str(socket_path),
            "socketMode": "0660",
            "socketGroup": str(os.getegid()),
            "metricsAddress": f"127.0.0.1:{ports[0]}",
            "healthAddress": f"127.0.0.1:{ports[1]}",
        },
        "openbao": {
            "address": openbao.address,
            "caCertFile": str(openbao.ca_file),
            "tlsServerName": openbao.server_name,
            "instanceId": "bao-test-1",
        },
        "auth": {
            "method": "jwt",
            "jwt": {
                "source": "file",
                "mountPath": tenant.auth_mount,
                "role": tenant.role,
                "jwtFile": str(folder / "identity.jwt"),
                "expectedIssuer": ISSUER,
                "expectedAudience": [AUDIENCE],
                "expectedSubject": tenant.subject,
            },
        },
        "transit": {
            "mountPath": tenant.transit_mount,
            "keyName": tenant.key_name,
            "keyIdScope": {
                "providerName": f"openbao-kms-{tenant.name}",
                "clusterId": tenant.name,
                "transitMountId": f"{tenant.transit_mount}-primary",
                "keyLineageId": LINEAGE,
            },
        },
        "bootstrap": {"graceTimeout": "60s", "retryInterval": "500ms"},
        # One deep probe at the start and no more: tests count the Transit calls of the audit log.
        "status": {"probeInterval": "2s", "deepProbeInterval": "1h", "statusMaxStaleness": "10s"},
        "state": {"path": str(folder / "state" / "key-registry.json")},
        # Tests run as root, on machines that do not have the users (rig/users.py has others).
        "isolation": {"separateUsers": "off"},
    }


def write_config(config: dict, path: Path) -> None:
    """Writes the file with the mode the provider demands."""
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def write_jwt(text: str, path: Path, owner=None) -> None:
    """Replaces the JWT file in one step, as rotation tools do; owner = (uid, gid), None = us."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(text)
    if owner:
        os.chown(fresh, *owner)
    fresh.rename(path)
