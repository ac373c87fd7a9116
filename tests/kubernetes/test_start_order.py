"""An API server that starts before the provider becomes ready by itself."""

from rig.waits import wait_for

DATA = {"password": b"correct horse battery staple"}
READY_SECONDS = 180.0  # grpc-go's back-off and the API server's 10 s poll come before ours


def test_an_api_server_that_started_first_becomes_ready_with_the_provider(unstarted):
    api, provider = unstarted.api, unstarted.provider
    api.daemon.start()
    wait_for(
        lambda: api.get_status("/livez/ping") == 200, "the API server to answer", READY_SECONDS
    )
    assert api.get_status("/readyz/kms-providers") != 200
    provider.start_healthy()
    wait_for(lambda: api.get_status("/readyz") == 200, "the API server to be ready", READY_SECONDS)
    api.create_secret("late", DATA)
    assert api.read_secret("late") == DATA
