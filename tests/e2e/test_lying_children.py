"""One child that lies, with everything else real (tests/redteam/lying_worker.cc, lying_agent.cc): what
API servers get, and what becomes of the liar.
"""

import base64
import collections
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import threading
from concurrent import futures

import grpc
import pytest

from rig.kms import KmsError, refusal
from rig.provider import AGENT, INSTALLED, WORKER
from rig.registry import registry_files
from rig.tenant import Tenant
from rig.tools import REPOSITORY, RigError, binary
from rig.waits import wait_for

PLAINTEXT = b"what only one of them says: 0123456789"
WRONG_PLAINTEXT, REFUSAL, WRONG_CIPHERTEXT, WRONG_VERSION, SILENCE = range(5)  # of a worker,
UPSERT, WRONG_PROBE = range(5, 7)  # and to the probes
WRONG_TOKEN, FOREIGN_TOKEN, ENDLESS_STATUS = range(3)  # of the agent
EXIT = 7
LIARS = {WORKER: "lying_worker", AGENT: "lying_agent"}
SELF_VERIFIED = "openbao_kms_encrypt_self_verified_total"
ENCRYPT_MISMATCHES = "openbao_kms_encrypt_mismatch_total"
MISMATCHES = "openbao_kms_decrypt_mismatch_total"
UNCONFIRMED = "openbao_kms_decrypt_unconfirmed_total"
MANY_LOGINS = {"loginBudgetPerMinute": 600}


@pytest.fixture(params=[False, True], ids=["single-user", "separate-users"])
def make_liars(request, make_provider, workspace, monkeypatch):
    """make_liars(workers, verify="sample", **others) -> a healthy provider at each level, of which
    each worker and the agent can be told to lie, with all its workers ready.
    """
    folder = workspace.folder("programs", mode=0o755)
    for name in INSTALLED:
        liar = LIARS.get(name)
        source = REPOSITORY / "build/release/tests" / liar if liar else binary(name)
        shutil.copy2(source, folder / name)
        if liar:
            (folder / name).chmod(0o111)
    monkeypatch.setenv("BAOKMS_BIN", str(folder))

    def make(workers, verify="sample", **others):
        isolation = {"workers": workers, "verifyDecrypt": verify}
        bootstrap = {"graceTimeout": "1s"} if workers == 1 else {}  # it trusts one worker only then
        provider = make_provider(
            changes={
                "isolation": isolation,
                "auth": MANY_LOGINS,
                "bootstrap": bootstrap,
                **others,
            },
            separate=request.param,
        )
        return wait_workers(provider.start_healthy(), workers)

    return make


def wait_workers(provider, workers):
    wait_for(lambda: provider.ready()[1]["workers_ready"] == workers, "all workers")
    return provider


def tell(provider, lie, program=WORKER) -> int:
    """Has one worker, or the agent, lie from now on; returns its process id."""
    liar = min(provider.pids(program))
    os.kill(liar, signal.SIGRTMIN + lie)
    return liar


def listens(pid) -> bool:
    """Whether the process can be told to lie already; before that a signal would kill it."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        caught = next(line.split()[1] for line in status if line.startswith("SigCgt:"))
    return int(caught, 16) >> (signal.SIGRTMIN - 1) & 1 == 1


@contextlib.contextmanager
def all_ending_but_one(provider, number):
    """Sends this signal to each worker but one for as long as it lasts."""
    spared = min(provider.pids(WORKER))
    over = threading.Event()

    def keep_ending():
        while not over.wait(0.02):
            for pid in provider.pids(WORKER) - {spared}:
                with contextlib.suppress(ProcessLookupError, FileNotFoundError):
                    if listens(pid):
                        os.kill(pid, number)

    ending = threading.Thread(target=keep_ending)
    ending.start()
    try:
        wait_for(lambda: provider.ready()[1]["workers_ready"] == 1, "one worker to be left")
        yield
    finally:
        over.set()
        ending.join()


def answers(client, encrypted, count) -> collections.Counter:
    """What so many calls of Decrypt return: plaintexts, and the texts of errors."""
    seen = collections.Counter()
    for _ in range(count):
        try:
            seen[client.decrypt(encrypted)] += 1
        except KmsError as error:
            seen[error.text] += 1
    return seen


def lasting(seen) -> set:
    """What is neither the right plaintext nor temporary."""
    return {
        answer
        for answer in seen
        if answer != PLAINTEXT and not (isinstance(answer, str) and answer.endswith("(temporary)"))
    }


def spoilt(encrypted):
    """The same for a ciphertext that OpenBao cannot decrypt."""
    prefix, _, text = encrypted.ciphertext.rpartition(b":")
    content = bytearray(base64.b64decode(text))
    content[-1] ^= 1
    ciphertext = prefix + b":" + base64.b64encode(bytes(content))
    return dataclasses.replace(encrypted, ciphertext=ciphertext)


def test_no_wrong_plaintext_is_given_when_always_verified(make_liars):
    provider = make_liars(2, "always")
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        liar = tell(provider, WRONG_PLAINTEXT)
        seen = answers(client, encrypted, 20)
        assert lasting(seen) == set()
        assert seen[PLAINTEXT] >= 18, seen
        wait_for(lambda: liar not in provider.pids(WORKER), "the liar to be replaced")
        wait_workers(provider, 2)
        assert answers(client, encrypted, 20) == {PLAINTEXT: 20}
    assert provider.metrics()[MISMATCHES] == 1
    record = next(r for r in provider.log_events() if r["message"] == "kms.decrypt_mismatch")
    assert record["level"] == "ERROR"


def test_the_first_plaintexts_of_a_worker_are_not_given_unchecked(make_liars):
    provider = make_liars(2)
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        liar = tell(provider, WRONG_PLAINTEXT)
        ask_first_until(
            lambda: provider.metrics()[MISMATCHES] == 1,
            provider,
            liar,
            lambda: client.decrypt(encrypted),
        )
        assert answers(client, encrypted, 20) == {PLAINTEXT: 20}
    assert liar not in provider.pids(WORKER)


def test_wrong_plaintexts_are_found_by_a_sample(make_liars):
    provider = make_liars(2)
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        answers(client, encrypted, 30)  # the first answers of each process are checked anyway
        liar = tell(provider, WRONG_PLAINTEXT)
        for _ in range(200):
            answers(client, encrypted, 10)
            if provider.metrics()[MISMATCHES] == 1:
                break
        wait_for(lambda: liar not in provider.pids(WORKER), "the liar to be replaced")
        wait_workers(provider, 2)
        assert answers(client, encrypted, 20) == {PLAINTEXT: 20}


def test_one_worker_alone_makes_no_data_undecryptable(make_liars):
    provider = make_liars(2, "off")
    with provider.client() as client, futures.ThreadPoolExecutor() as pool:
        encrypted = [client.encrypt(PLAINTEXT) for _ in range(8)]
        liar = tell(provider, REFUSAL)
        # At the same time, so that both workers are asked.
        seen = sum(pool.map(lambda one: answers(client, one, 10), encrypted), collections.Counter())
        assert lasting(seen) == set()
        assert seen[PLAINTEXT] >= 72, seen
        assert liar not in provider.pids(WORKER)
    assert provider.metrics()[MISMATCHES] >= 1  # some of them at the same time


def test_what_two_workers_refuse_is_refused_for_good(make_liars):
    provider = make_liars(2)
    with provider.client() as client:
        error = refusal(lambda: client.decrypt(spoilt(client.encrypt(PLAINTEXT))))
    assert (error.code, error.text) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "transit decrypt failed",
    )
    assert provider.metrics()[MISMATCHES] == 0
    assert provider.metrics()[UNCONFIRMED] == 0


def test_the_word_of_the_only_worker_counts_and_is_counted(make_liars):
    provider = make_liars(1)
    warned = [r["key"] for r in provider.log_events() if r["message"] == "config.warning"]
    assert "isolation.workers" in warned
    with provider.client() as client:
        error = refusal(lambda: client.decrypt(spoilt(client.encrypt(PLAINTEXT))))
    assert (error.code, error.text) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "transit decrypt failed",
    )
    assert provider.metrics()[UNCONFIRMED] == 1
    assert provider.metrics()[MISMATCHES] == 0
    assert "kms.decrypt_unconfirmed" in [r["message"] for r in provider.log_events()]


def test_a_second_worker_that_cannot_start_keeps_no_api_server_from_starting(make_liars):
    provider = make_liars(2)
    with all_ending_but_one(provider, signal.SIGRTMIN + EXIT), provider.client() as client:

        def verified_itself():  # a successor may be there for a moment
            assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT
            return provider.metrics()[SELF_VERIFIED] >= 1

        wait_for(verified_itself, "an Encrypt that only its maker can verify")
    assert "kms.encrypt_self_verified" in [r["message"] for r in provider.log_events()]


def test_no_wrong_ciphertext_is_given(make_liars):
    provider = make_liars(2)
    with provider.client() as client:
        liar = tell(provider, WRONG_CIPHERTEXT)
        given = []
        ask_first_until(
            lambda: provider.metrics()[ENCRYPT_MISMATCHES] == 1,
            provider,
            liar,
            lambda: given.append(client.encrypt(PLAINTEXT)),
        )
        given += [client.encrypt(PLAINTEXT) for _ in range(20)]
        assert {client.decrypt(encrypted) for encrypted in given} == {PLAINTEXT}
    assert provider.metrics()[SELF_VERIFIED] == 0
    assert liar not in provider.pids(WORKER)
    record = next(r for r in provider.log_events() if r["message"] == "kms.encrypt_mismatch")
    assert record["level"] == "ERROR"


def test_who_gives_no_second_opinion_is_replaced_and_nobody_verifies_itself(make_liars):
    provider = make_liars(2)
    with provider.client() as client, futures.ThreadPoolExecutor() as pool:
        liar = tell(provider, SILENCE)
        given = []

        def encrypt(_):
            try:
                given.append(client.encrypt(PLAINTEXT))
            except KmsError as error:
                assert error.text.endswith("(temporary)")

        def replaced():
            assert provider.status().ok
            list(pool.map(encrypt, range(4)))  # at the same time, so that each of them verifies
            return liar not in provider.pids(WORKER)

        wait_for(replaced, "the silent worker to be replaced")
        wait_workers(provider, 2)
        given.append(client.encrypt(PLAINTEXT))
        assert {client.decrypt(encrypted) for encrypted in given} == {PLAINTEXT}
    assert provider.metrics()[SELF_VERIFIED] == 0
    assert "kms.opinions_missing" in [r["message"] for r in provider.log_events()]


def ask_first_until(found, provider, worker, call, within=0):
    """Has this worker serve a call, so that it is the first to be asked when no worker is busy, until
    what follows from that is found so many seconds later. A successor of another worker that is
    ready at once may take its place.
    """

    def asked_and_found():
        for other in provider.pids(WORKER) - {worker}:
            os.kill(other, signal.SIGKILL)
        call()
        wait_workers(provider, 2)
        with contextlib.suppress(RigError):
            return wait_for(found, "what follows from its answer", deadline=within)

    wait_for(asked_and_found, "the worker to be asked first")


def test_the_registry_does_not_move_on_one_workers_word(make_liars):
    provider = make_liars(2)
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        liar = tell(provider, WRONG_VERSION)
        ask_first_until(
            lambda: provider.ready()[1].get("rotation_deferred") == "workers_disagree",
            provider,
            liar,
            lambda: client.decrypt(encrypted),
            within=10,
        )
    assert provider.ready()[1]["transit_key_version"] == 1
    state, _ = registry_files(provider)
    assert len(json.loads(state.read_text())["snapshots"]) == 1
    with provider.client() as client:
        assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT


@pytest.mark.parametrize("lie", [UPSERT, WRONG_PROBE])
def test_one_worker_ends_neither_status_nor_encrypt(make_liars, lie):
    provider = make_liars(2, status={"probeInterval": "1s", "deepProbeInterval": "1s"})
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        liar = tell(provider, lie)

        def replaced():
            assert provider.status().ok
            with contextlib.suppress(KmsError):  # while a call has one worker only
                assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT
            return liar not in provider.pids(WORKER)

        ask_first_until(replaced, provider, liar, lambda: client.decrypt(encrypted), within=10)
        wait_workers(provider, 2)
        assert provider.status().ok
        assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT
    records = [r for r in provider.log_events() if r["message"] == "status.contradiction"]
    assert [record["level"] for record in records] == ["ERROR"]


def replace_worker(provider):
    """Ends one worker, so that another one asks the agent for a token."""
    before = provider.pids(WORKER)
    os.kill(max(before), signal.SIGKILL)
    wait_for(lambda: len(provider.pids(WORKER) - before) == 1, "a new worker")


@pytest.mark.parametrize("lie", [WRONG_TOKEN, FOREIGN_TOKEN])
def test_a_token_that_is_not_ours_costs_no_data(make_liars, workspace, openbao, lie):
    other = Tenant(openbao)
    other.write_policy('path "sys/health" { capabilities = ["read"] }')
    (workspace.root / "programs" / "other-token").write_text(other.login())
    provider = make_liars(2)
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        agent = tell(provider, lie, AGENT)
        replace_worker(provider)
        assert answers(client, encrypted, 50) == {PLAINTEXT: 50}, "the other one has a token"

        with contextlib.suppress(ProcessLookupError):  # replaced meanwhile: it lies no more
            os.kill(agent, signal.SIGKILL)
        replace_worker(provider)
        replace_worker(provider)
        wait_workers(provider.wait_healthy(), 2)
        assert answers(client, encrypted, 20) == {PLAINTEXT: 20}


def test_an_agent_that_reports_without_end_is_replaced_and_nobody_notices(make_liars):
    provider = make_liars(2)
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        liar = tell(provider, ENDLESS_STATUS, AGENT)
        replace_worker(provider)
        size = provider.daemon.log_path.stat().st_size
        assert answers(client, encrypted, 50) == {PLAINTEXT: 50}
        wait_for(lambda: liar not in provider.pids(AGENT), "the liar to be replaced")
        wait_workers(provider, 2)
        assert answers(client, encrypted, 20) == {PLAINTEXT: 20}
        assert provider.daemon.log_path.stat().st_size - size < 1 << 20
    assert provider.status().ok
