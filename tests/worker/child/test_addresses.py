"""Which addresses count as public, and how exemptions are read."""

from ipaddress import ip_address

import pytest

from worker.child import guard
from worker.child.abort import TRIPWIRE, Abort
from worker.child.addresses import Exemption, is_public, may_connect
from worker.child.own import own_addresses, read_ipv4, read_ipv6


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"],
)
def test_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1"),
        *("192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
        *("168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::a83f:8110"),
        *("::ffff:0:a00:1", "::ffff:0:101:101", "::5efe:101:101", "4000::1", "1fff::1", "200::1"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1"),
        *("64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:101:101::1", "3fff::1", "5f00::1"),
        *("fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%lo", "fec0::1", "ff02::1"),
    ],
)
def test_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    ("text", "address", "port", "covered"),
    [
        ("10.0.0.0/8", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "11.1.2.3", 80, False),
        ("10.0.0.1", "10.0.0.1", 443, True),
        ("10.0.0.1:80", "10.0.0.1", 80, True),
        ("10.0.0.1:80", "10.0.0.1", 81, False),
        ("[fd00::1]:80", "fd00::1", 80, True),
        ("fd00::/8", "fd12::1", 80, True),
        ("::1", "::1", 80, True),
        ("localhost:80", "127.0.0.1", 80, True),
        ("localhost:80", "127.0.0.1", 81, False),
        ("localhost", "127.0.0.1", 81, True),
        ("no-such-host.invalid:80", "127.0.0.1", 80, False),
    ],
)
def test_an_exemption_covers_just_what_it_says(text: str, address: str, port: int, covered: bool) -> None:
    assert Exemption.parse(text).covers(ip_address(address), port) is covered


@pytest.mark.parametrize("text", ["", ":80", "host:port", "10.0.0.1:80:90x"])
def test_unreadable_exemptions_are_named(text: str) -> None:
    with pytest.raises(ValueError, match="neither a network"):
        Exemption.parse(text)


@pytest.mark.parametrize("host", ["localhost", "", "0x7f.1", "2130706433", "127.1", None, 7, b"1.1.1.1"])
def test_only_literal_addresses_may_be_connected_to(host: object) -> None:
    assert not may_connect(host, 80, ())


def test_a_mapped_address_is_exempt_with_its_ipv4_self() -> None:
    assert may_connect("::ffff:127.0.0.1", 80, (Exemption.parse("127.0.0.1:80"),))


FIB_TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 93.184.216.0/24 2 0 2
        |-- 93.184.216.0
           /24 link UNICAST
        |-- 93.184.216.34
           /32 host LOCAL
        |-- 93.184.216.255
           /32 link BROADCAST
"""


def test_the_kernel_tells_which_addresses_are_ours() -> None:
    assert read_ipv4(FIB_TRIE) == {ip_address("93.184.216.34")}
    assert read_ipv6("26064700000000000000000000001111 02 40 00 80     eth0\n") == {
        ip_address("2606:4700::1111")
    }
    assert read_ipv4("") == read_ipv6("") == set()
    assert ip_address("127.0.0.1") in own_addresses()


@pytest.mark.parametrize("host", ["93.184.216.34", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])
def test_a_public_address_of_our_own_is_refused_unless_allowed(host: str) -> None:
    own = read_ipv4(FIB_TRIE)
    assert may_connect(host, 80, ())
    assert not may_connect(host, 80, (), own)
    allowed = (Exemption.parse("93.184.216.34:80"), Exemption.parse("64:ff9b::/96"))
    assert may_connect(host, 80, allowed, own)


def test_a_scope_hides_no_address_of_our_own() -> None:
    assert not may_connect("2606:4700::1111%eth0", 80, (), {ip_address("2606:4700::1111")})


def test_a_child_knows_its_own_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "own_addresses", lambda: frozenset({ip_address("93.184.216.34")}))
    monkeypatch.setattr(guard._Guard, "own", frozenset())
    monkeypatch.setattr(guard._Guard, "active", False)
    guard.activate(())
    try:
        with pytest.raises(Abort):
            guard._check_address((None, ("93.184.216.34", 80)))
        guard._check_address((None, ("93.184.216.35", 80)))
    finally:
        TRIPWIRE.reset()
