"""Secrets of a real API server, stored through the provider."""

import hashlib

from rig.kubernetes import ApiServer, encryption_config, secret_key

DATA = {"password": b"correct horse battery staple"}


def prefix(cluster) -> bytes:
    return f"k8s:enc:kms:v2:{cluster.provider_name}:".encode()


def test_the_api_server_is_of_the_wanted_version(cluster):
    assert cluster.api.version_info() == f"v{cluster.api.version}"


def test_a_secret_comes_back_as_it_was_stored(cluster):
    cluster.api.create_secret("round-trip", DATA)
    assert cluster.api.read_secret("round-trip") == DATA


def test_etcd_holds_the_kms_prefix_and_no_plaintext(cluster):
    cluster.api.create_secret("stored", DATA)
    assert cluster.etcd.get(secret_key("stored")).startswith(prefix(cluster))
    assert DATA["password"] not in cluster.etcd.dump()


def test_the_api_server_calls_the_provider_healthy(cluster):
    assert cluster.api.get_status("/readyz/kms-providers") == 200
    assert cluster.api.get_status("/healthz/kms-providers") == 200


def test_the_api_server_reports_the_hash_of_our_key_id(cluster):
    cluster.api.create_secret("hashed", DATA)
    digest = hashlib.sha256(cluster.provider.status().key_id.encode()).hexdigest()
    assert f'key_id_hash="sha256:{digest}"' in cluster.api.metrics()


def test_a_secret_is_readable_after_a_restart_of_the_api_server(cluster):
    cluster.api.create_secret("api-restart", DATA)
    cluster.api.restart()
    assert cluster.api.read_secret("api-restart") == DATA


def test_secrets_are_readable_and_writable_after_a_restart_of_the_provider(cluster):
    cluster.api.create_secret("provider-restart", DATA)
    assert cluster.provider.stop() == 0
    cluster.provider.start_healthy()
    assert cluster.api.read_secret("provider-restart") == DATA
    cluster.api.create_secret("after-provider-restart", DATA)
    cluster.api.restart()
    assert cluster.api.read_secret("after-provider-restart") == DATA


def test_an_api_server_reads_what_three_lives_of_it_wrote(cluster):
    names = [f"life-{number}" for number in range(3)]
    for name in names:
        cluster.api.create_secret(name, DATA)
        cluster.api.restart()
    assert set(names) <= set(cluster.api.list_secrets())
    assert all(cluster.api.read_secret(name) == DATA for name in names)


def test_cached_secrets_stay_readable_while_openbao_is_down(cluster):
    cluster.api.create_secret("outage", DATA)
    cluster.openbao.kill()
    assert cluster.api.read_secret("outage") == DATA
    cluster.openbao.start()
    cluster.provider.wait_healthy()
    cluster.api.restart()
    assert cluster.api.read_secret("outage") == DATA


def test_api_servers_at_both_steps_of_the_migration_read_each_others_secrets(
    cluster, cluster_workspace
):
    plain = {"password": b"not encrypted yet"}
    encryption = encryption_config(
        cluster.provider_name, cluster.provider.socket_path, step="1-reads"
    )
    first_step = ApiServer(
        cluster_workspace, cluster.etcd, encryption, name="kube-apiserver-2"
    ).start()
    try:
        cluster.api.create_secret("of-step-2", DATA)
        assert first_step.read_secret("of-step-2") == DATA
        first_step.create_secret("of-step-1", plain)
        assert plain["password"] in cluster.etcd.get(secret_key("of-step-1"))
        assert cluster.api.read_secret("of-step-1") == plain
    finally:
        first_step.daemon.stop()
