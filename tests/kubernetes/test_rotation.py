"""A rotation from its beginning to its end, with a real API server, etcd and OpenBao: rotate,
rewrite, verify, retire, raise the minimum, restart everything.
"""

import json

import pytest

from rig.kubernetes import ApiServer, Etcd, encryption_config
from rig.openbao import OpenBao
from rig.provider import Provider
from rig.reports import check_report
from rig.tenant import Tenant
from rig.waits import wait_for

FAST_ROTATION = {"rotation": {"activationDelay": "1ms", "requireStableObservationCount": 1}}
SECRETS = {f"secret-{number}": {"password": b"value %d" % number} for number in range(12)}
SEED_SECONDS = 180.0  # the API server asks for the key id once a minute
CHECK_FAILED = 4


@pytest.fixture(scope="module")
def stack(cluster_workspace):
    """(OpenBao, provider, etcd with client certificates), started, and the encryption config."""
    openbao = OpenBao(cluster_workspace).start()
    provider = Provider(cluster_workspace, Tenant(openbao), FAST_ROTATION)
    provider.install_policy()
    provider.start_healthy()
    etcd = Etcd(cluster_workspace, tls=True).start()
    name = provider.config["transit"]["keyIdScope"]["providerName"]
    return openbao, provider, etcd, encryption_config(name, provider.socket_path)


@pytest.fixture(scope="module")
def api(cluster_workspace, stack):
    """An API server with SECRETS, one of which was stored before there was any encryption."""
    _, _, etcd, encryption = stack
    plain = ApiServer(cluster_workspace, etcd, None, name="kube-apiserver-plain").start()
    first = next(iter(SECRETS))
    plain.create_secret(first, SECRETS[first])
    plain.daemon.stop()
    server = ApiServer(cluster_workspace, etcd, encryption).start()
    for name, data in list(SECRETS.items())[1:]:
        server.create_secret(name, data)
    return server


def verify(provider, etcd, *arguments) -> tuple:
    """(exit status, report, error text) of verify-rotation with a scan; the report has to fit its
    schema.
    """
    done = provider.run(
        "verify-rotation", *etcd.scan_flags(), "--output", "json", *arguments, check=False
    )
    report = json.loads(done.stdout)
    check_report("verify-rotation", report)
    return done.returncode, report, done.stderr


def own_rows(report: dict) -> list:
    return [row for row in report["objects"] if "transitVersion" in row]


def is_active(provider, version: int) -> bool:
    return provider.ready()[1].get("transit_key_version") == version


def test_a_scan_finds_every_secret_the_plain_one_and_nothing_unsafe_before_a_rotation(stack, api):
    _, provider, etcd, _ = stack
    status, report, text = verify(provider, etcd)
    assert (status, text) == (0, "")
    assert report["confidence"] == "full"
    assert report["raisingMinDecryptionVersion"] == "safe"
    (row,) = own_rows(report)
    assert (row["transitVersion"], row["state"]) == (1, "active")
    assert row["objects"] == len(SECRETS) - 1
    assert row["keyIdHash"] == report["activeKeyIdHash"]
    assert row["provider"] == provider.config["transit"]["keyIdScope"]["providerName"]
    assert {"resource": "secrets", "encrypted": len(SECRETS) - 1, "plain": 1} in (
        report["mixedResources"]
    )
    assert report["plainObjects"] > 1


def test_a_scan_in_pages_counts_the_same(stack, api):
    _, provider, etcd, _ = stack
    for number in range(1100):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"page-{number}"}}
        api.request("POST", "/api/v1/namespaces/default/configmaps", body)
    status, report, _ = verify(provider, etcd)
    assert status == 0
    assert report["storedObjects"] >= 1100 + len(SECRETS)
    assert sum(row["objects"] for row in own_rows(report)) == len(SECRETS) - 1


def test_a_scan_with_large_objects_counts_the_same(stack, api):
    _, provider, etcd, _ = stack
    for number in range(30):
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"large-{number}"},
            "data": {"text": "x" * 900_000},
        }
        api.request("POST", "/api/v1/namespaces/default/configmaps", body)
    status, report, _ = verify(provider, etcd, "--prefix", "/registry/configmaps/")
    # Without a Secret in sight nothing is called safe.
    assert status == CHECK_FAILED and report["storedObjects"] >= 1130
    assert report["raisingMinDecryptionVersion"] == "unsafe"
    assert verify(provider, etcd)[0] == 0


@pytest.mark.parametrize("wrong", ["no client certificate", "other authority", "nobody there"])
def test_an_etcd_that_cannot_be_read_gives_no_safe_verdict(stack, api, wrong, tmp_path):
    _, provider, etcd, _ = stack
    flags = {
        "no client certificate": ["--scan-etcd", etcd.address, f"--cacert={etcd.ca_file}"],
        "other authority": [
            "--scan-etcd",
            etcd.address,
            f"--cacert={provider.tenant.openbao.ca_file}",
        ],
        "nobody there": ["--scan-etcd", "https://127.0.0.1:1", f"--cacert={etcd.ca_file}"],
    }[wrong]
    done = provider.run("verify-rotation", *flags, "--output", "json", check=False)
    report = json.loads(done.stdout)
    assert done.returncode == CHECK_FAILED
    assert "etcd could not be read" in done.stderr
    assert (report["confidence"], report["raisingMinDecryptionVersion"]) == ("limited", "unsafe")


def test_a_rotation_from_rotate_to_a_raised_minimum_keeps_every_secret(stack, api):
    openbao, provider, etcd, _ = stack
    provider.tenant.rotate()
    wait_for(lambda: is_active(provider, 2), "version 2 to be active")

    status, report, text = verify(provider, etcd)
    assert status == CHECK_FAILED
    assert "older versions (11 of version 1)" in text
    assert report["neededTransitVersions"] == [1, 2]
    assert report["safeMinDecryptionVersion"] == 1
    assert report["raisingMinDecryptionVersion"] == "unsafe"

    def rewritten() -> bool:
        api.rewrite_secrets()
        return verify(provider, etcd)[0] == 0

    wait_for(rewritten, "all Secrets to be stored with version 2", SEED_SECONDS)
    status, report, _ = verify(provider, etcd)
    assert (report["confidence"], report["raisingMinDecryptionVersion"]) == ("full", "safe")
    assert (report["neededTransitVersions"], report["safeMinDecryptionVersion"]) == ([2], 2)
    assert report["mixedResources"] == []
    assert sum(row["objects"] for row in own_rows(report)) == len(SECRETS)

    assert provider.stop() == 0
    arguments = ["retire-versions", "--before-version", "2", "--output", "json"]
    plan = json.loads(provider.run(*arguments).stdout)
    apply = ["--apply", "--expected-state-hash", plan["stateHash"]]
    assert json.loads(provider.run(*arguments, *apply).stdout)["applied"] is True
    tenant = provider.tenant
    path = f"{tenant.transit_mount}/keys/{tenant.key_name}/config"
    openbao.request("POST", path, {"min_decryption_version": 2})

    api.daemon.stop()
    etcd.daemon.stop()
    openbao.restart()
    provider.start_healthy()
    etcd.start()
    api.start()
    assert {name: api.read_secret(name) for name in SECRETS} == SECRETS
    api.create_secret("after-the-rotation", SECRETS["secret-0"])
    assert api.read_secret("after-the-rotation") == SECRETS["secret-0"]
    assert verify(provider, etcd)[0] == 0
