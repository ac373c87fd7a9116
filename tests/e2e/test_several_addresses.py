"""A name with several addresses: callers notice nothing as long as one of them serves."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from rig import faults
from rig.https_proxy import HttpsProxy
from rig.keycloak import OTHER_NAME, keycloak_tenant, oauth2_changes
from rig.name_server import NameServer
from rig.tcp_proxy import Mode, TcpProxy

NAME = "bao.corp.internal"
PLAINTEXT = b"kubernetes secret payload"
ADDRESSES = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
DOWN = (Mode.REFUSE, Mode.RESET, Mode.BLACKHOLE)


def hosts(name: str, addresses) -> str:
    """A hosts file that knows localhost and the addresses of name, in this order."""
    return "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for address in addresses)


def listen_on(workspace, port: int, addresses) -> list:
    """A proxy in front of the port on each of the addresses, all with the same port number."""
    first = workspace.adopt(TcpProxy(port, addresses[0]))
    others = [workspace.adopt(TcpProxy(port, a, first.port)) for a in addresses[1:]]
    return [first, *others]


@pytest.fixture
def behind_proxies(workspace, openbao, make_provider):
    """behind_proxies(count) -> a provider, not yet started, and the proxies on the addresses of its
    openbao.address.
    """

    def make(count: int):
        proxies = listen_on(workspace, openbao.port, ADDRESSES[:count])
        address = f"https://{NAME}:{proxies[0].port}"
        provider = make_provider(changes={"openbao": {"address": address}})
        provider.replace_system_file("/etc/hosts", hosts(NAME, ADDRESSES[:count]))
        return provider, proxies

    return make


@pytest.mark.parametrize("mode", DOWN)
def test_starts_while_the_first_address_is_down(behind_proxies, mode):
    provider, (down, _) = behind_proxies(2)
    down.set_mode(mode)
    provider.start_healthy()
    with provider.client() as client:
        assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT


def test_starts_when_the_server_listens_on_one_of_the_two_families(make_provider, openbao):
    """As with `localhost`: the name has ::1 and 127.0.0.1, and nobody listens on ::1."""
    address = f"https://{NAME}:{openbao.port}"
    provider = make_provider(changes={"openbao": {"address": address}})
    provider.replace_system_file("/etc/hosts", hosts(NAME, ("::1", "127.0.0.1")))
    provider.start_healthy()
    with provider.client() as client:
        assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.RESET])
def test_a_switch_of_the_address_is_not_seen_by_callers(behind_proxies, mode):
    provider, (up, down) = behind_proxies(2)
    down.set_mode(mode)
    provider.start_healthy()
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        for _ in range(8):
            down.set_mode(Mode.FORWARD)
            up.set_mode(mode)
            up, down = down, up
            for _ in range(4):
                assert client.decrypt(encrypted) == PLAINTEXT
        assert client.encrypt(PLAINTEXT)


@pytest.mark.parametrize("mode", DOWN)
@pytest.mark.parametrize("up", range(3))
def test_one_of_three_addresses_is_enough(behind_proxies, mode, up):
    provider, proxies = behind_proxies(3)
    for index, proxy in enumerate(proxies):
        if index != up:
            proxy.set_mode(mode)
    provider.start_healthy()
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        assert client.decrypt(encrypted) == PLAINTEXT
        after = (up + 2) % 3  # with the one in between down as well
        proxies[after].set_mode(Mode.FORWARD)
        proxies[up].set_mode(Mode.REFUSE)
        for _ in range(8):
            assert client.decrypt(encrypted) == PLAINTEXT


def use_endpoints(make_provider, addresses):
    """A provider, not yet started, with these addresses as endpoints."""
    first, *others = addresses
    return make_provider(changes={"openbao": {"address": first, "additionalAddresses": others}})


@pytest.mark.parametrize("kind", ["addresses", "endpoints"])
def test_a_first_address_that_turns_into_a_black_hole_fails_no_call(
    workspace, openbao, make_provider, behind_proxies, kind
):
    """Many idle connections lead into the black hole, and none of them costs a call."""
    if kind == "addresses":
        provider, (first, second) = behind_proxies(2)
    else:
        first, second = listen_on(workspace, openbao.port, ADDRESSES[:2])
        provider = use_endpoints(make_provider, [first.address, second.address])
    second.set_mode(Mode.REFUSE)
    provider.start_healthy()
    with provider.client() as client, ThreadPoolExecutor(20) as callers:
        encrypted = list(callers.map(client.encrypt, [b"%d" % i for i in range(20)]))
        second.set_mode(Mode.FORWARD)
        first.set_mode(Mode.BLACKHOLE)
        for index, ciphertext in enumerate(encrypted):
            assert client.decrypt(ciphertext) == b"%d" % index


@pytest.mark.parametrize(
    "fault",
    [
        faults.slow_headers(),
        faults.stalled_body(),
        faults.answer(500),
        faults.answer(502),
        faults.answer(503),
    ],
    ids=["no answer", "half an answer", "500", "502", "503"],
)
def test_a_first_endpoint_that_accepts_requests_and_fails_does_not_hide_the_second(
    workspace, openbao, make_provider, fault
):
    broken = workspace.adopt(HttpsProxy(openbao))
    broken.inject(fault)
    provider = use_endpoints(make_provider, [broken.address, openbao.address])
    provider.start_healthy()
    with provider.client() as client:
        for _ in range(8):
            assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT


@pytest.mark.parametrize(
    "fault",
    [faults.slow_headers(), faults.stalled_body(), faults.answer(502)],
    ids=["no answer", "half an answer", "502"],
)
def test_an_endpoint_that_begins_to_fail_is_replaced_within_the_call(
    workspace, openbao, make_provider, fault
):
    broken = workspace.adopt(HttpsProxy(openbao))
    provider = use_endpoints(make_provider, [broken.address, openbao.address])
    provider.start_healthy()
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        broken.inject(fault)
        for _ in range(8):
            assert client.decrypt(encrypted) == PLAINTEXT


def test_starts_with_the_last_of_eleven_endpoints_while_the_others_are_silent(
    workspace, openbao, make_provider
):
    silent = listen_on(workspace, openbao.port, [f"127.0.0.{i}" for i in range(2, 12)])
    for proxy in silent:
        proxy.set_mode(Mode.BLACKHOLE)
    provider = use_endpoints(make_provider, [p.address for p in silent] + [openbao.address])
    provider.start_healthy()
    with provider.client() as client:
        assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT


@pytest.mark.parametrize("mode", DOWN)
def test_a_token_endpoint_may_have_an_address_that_is_down(
    workspace, make_provider, openbao, keycloak, mode
):
    proxies = listen_on(workspace, keycloak.port, ADDRESSES[:2])
    proxies[0].set_mode(mode)
    url = keycloak.token_url.replace(
        f"localhost:{keycloak.port}", f"{OTHER_NAME}:{proxies[0].port}"
    )
    provider = make_provider(
        keycloak_tenant(openbao, keycloak), oauth2_changes(keycloak, tokenUrl=url)
    )
    provider.replace_system_file("/etc/hosts", hosts(OTHER_NAME, ADDRESSES[:2]))
    provider.start_healthy()
    assert "oauth2_unavailable" not in provider.daemon.log_text()


@pytest.mark.parametrize(
    "search",
    [
        "search .\n",
        "search svc.cluster.local cluster.local .\noptions ndots:5\n",
        "search corp.internal\n",
    ],
)
def test_resolves_a_bare_name_as_the_c_library_does(workspace, make_provider, openbao, search):
    names = workspace.adopt(NameServer({"bao.": ["127.0.0.1"]}))
    address = f"https://bao:{openbao.port}"
    provider = make_provider(changes={"openbao": {"address": address}})
    provider.replace_system_file(
        "/etc/resolv.conf", f"nameserver {names.address}\noptions edns0 trust-ad\n{search}"
    )
    provider.start_healthy()
