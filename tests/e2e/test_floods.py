"""A worker that was taken over sends one message as fast as it can. It is ended and replaced again
and again; the clients of the other workers, the memory and the descriptors of the supervisor and its
log do not suffer. Nor does the log when a client makes calls that fail.
"""

import os
import time
from pathlib import Path

import pytest

from rig import processes
from rig.flooding_worker import FloodingWorker, types_of_a_worker
from rig.kms import Encrypted, KmsError
from rig.load import SteadyLoad
from rig.waits import wait_for

CLIENTS = 8
FLOODER = "worker_0"
MEMORY_KIB = 32 * 1024
DESCRIPTORS = 64
LOG_BYTES = 1_000_000  # of one process: 400 records, and 100 a second
FAILING_CALLS = 2000
CALL_BURST, CALLS_PER_SECOND = 32, 8  # records about calls that fail for one reason
LINE_BYTES = 400


@pytest.fixture(params=[False, True], ids=["single-user", "separate-users"])
def flooded(request, make_provider, workspace):
    """A provider with three workers at each level, of which the first floods; and with what."""
    worker = FloodingWorker(workspace.folder("flooding", mode=0o755))
    worker.choose(types_of_a_worker()["LogRecord"])
    with worker.used():
        provider = make_provider(
            changes={"isolation": {"workers": 3}}, separate=request.param
        )
    return provider.start_healthy(), worker


def records(provider, message: str) -> list:
    return [
        record
        for record in provider.log_events()
        if record["message"] == message and record.get("child") == FLOODER
    ]


@pytest.mark.long
@pytest.mark.xdist_group("floods")  # two of them at a time leave nobody time to answer
def test_a_worker_that_floods_costs_itself_alone(flooded):
    provider, worker = flooded
    wait_for(lambda: provider.ready()[1]["workers_ready"] >= 2, "the other workers")
    folder = Path(f"/proc/{provider.daemon.pid}/fd")
    descriptors = len(os.listdir(folder))
    memory = processes.read(provider.daemon.pid).pss_kib
    types = types_of_a_worker()
    assert len(types) > 15
    with SteadyLoad([provider], CLIENTS) as load:
        for name, number in types.items():
            worker.choose(number)
            written = provider.daemon.log_path.stat().st_size
            started = len(records(provider, "process.started"))
            # The process that runs now may have read the last choice.
            wait_for(
                lambda: len(records(provider, "process.started")) >= started + 2,
                f"the end of a worker that floods with {name}",
            )
            assert len(os.listdir(folder)) <= descriptors + DESCRIPTORS, name
            assert provider.daemon.log_path.stat().st_size <= written + LOG_BYTES, name
    assert not load.failures
    assert load.unhealthy == 0
    assert load.requests > len(types)
    assert processes.read(provider.daemon.pid).pss_kib <= memory + MEMORY_KIB
    reasons = {record["reason"] for record in records(provider, "process.breach")}
    assert {
        "more messages of one type than a peer may send",
        "more unanswered requests than a child may have",
        "answer to something that was not asked",
    } <= reasons
    assert provider.metrics()[f'openbao_kms_log_records_dropped_total{{process="{FLOODER}"}}'] > 0
    own = {r["message"] for r in provider.log_events() if r["process"] == FLOODER}
    assert own <= {"auth.login", "log.dropped"}


def test_a_client_whose_calls_fail_does_not_fill_the_log(provider):
    wrong = Encrypted(b"vault:v1:" + b"A" * 80, "no-key-id", {})
    written = provider.daemon.log_path.stat().st_size
    began = time.monotonic()
    with provider.client() as client:
        for _ in range(FAILING_CALLS):
            with pytest.raises(KmsError):
                client.decrypt(wrong)
        assert client.decrypt(client.encrypt(b"after")) == b"after"
    seconds = time.monotonic() - began
    failed = [r for r in provider.log_events() if r.get("error_class") == "key_id_malformed"]
    assert CALL_BURST <= len(failed) <= CALL_BURST + seconds * CALLS_PER_SECOND + 1
    assert provider.daemon.log_path.stat().st_size <= written + LINE_BYTES * (
        CALL_BURST + (seconds + 1) * (CALLS_PER_SECOND + 1)
    )
    told = [r for r in provider.log_events() if r["message"] == "log.dropped"]
    assert {record["records"] for record in told} == {"kms.request key_id_malformed"}
    metrics = provider.metrics()
    counted = 'openbao_kms_request_errors_total{class="key_id_malformed",method="decrypt"}'
    assert metrics[counted] == FAILING_CALLS
    dropped = metrics['openbao_kms_log_records_dropped_total{process="supervisor"}']
    assert dropped == FAILING_CALLS - len(failed)
