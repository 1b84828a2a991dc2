"""Base URLs: what is none is said when it is read."""

import pytest

from pytest_sema_bench.base_url import read_base_url
from pytest_sema_bench.errors import SettingsError

GOOD = (
    "http://127.0.0.1:8000/v1",
    "https://h.example",
    "https://h.example:8443/v1/?api-version=2",
    "http://[::1]:8000/v1",
    "HTTP://H.example/v1",
    "http://bücher.example/v1",
)


@pytest.mark.parametrize("url", GOOD)
def test_a_url_is_taken_as_it_is(url: str) -> None:
    """Host, port and query are the server's business."""
    assert read_base_url(url) == url


BAD = {
    "no scheme": ("localhost:8000/v1", "begin with http:// or https://"),
    "another scheme": ("ftp://h/v1", "begin with http:// or https://"),
    "no slashes": ("http:h/v1", "begin with http:// or https://"),
    "no host": ("http://", "names no host"),
    "a port alone": ("http://:8000/v1", "names no host"),
    "half a bracket": ("http://[::1", "Invalid IPv6 URL"),
    "no address in brackets": ("http://[h]/v1", "'h' does not appear to be an IPv4 or IPv6"),
    "a port too high": ("http://127.0.0.1:99999/v1", "out of range"),
    "a port that is none": ("http://h:port/v1", "Port could not be cast"),
    "port 0": ("http://h:0/v1", "there is no port 0"),
    "a password": ("http://me:secret@h/v1", "user or a password"),
    "a user": ("http://me@h/v1", "user or a password"),
    "a blank": ("http://h/v 1", "it holds a blank"),
    "a line end": ("http://h/v1\n", "it holds a blank"),
    "two dots": ("http://a..b/v1", "can be no host"),
    "a label too long": (f"http://{'a' * 64}.b/v1", "can be no host"),
    "the endpoint too": ("http://h/v1/chat/completions", "is added to each request"),
}


@pytest.mark.parametrize(("url", "fault"), BAD.values(), ids=BAD)
def test_what_is_no_base_url_is_a_settings_error(url: str, fault: str) -> None:
    """It says what is wrong and what is expected, and shows no password."""
    with pytest.raises(SettingsError) as caught:
        read_base_url(url)
    assert fault in str(caught.value)
    assert "expected something like http://127.0.0.1:8000/v1" in str(caught.value)
    assert "secret" not in str(caught.value)
