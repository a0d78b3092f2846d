"""Which addresses count as public, and how exemptions are read."""

from ipaddress import ip_address

import pytest

from worker.child.addresses import Exemption, is_public, may_connect


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
