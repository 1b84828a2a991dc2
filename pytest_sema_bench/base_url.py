"""What a base URL may be: said when it is read, and not by each request that fails."""

from urllib.parse import SplitResult, urlsplit

from pytest_sema_bench.errors import SettingsError

_ENDPOINT = "/chat/completions"


def read_base_url(url: str) -> str:
    """The URL, which names a server's API. Raises SettingsError that says what is wrong with it."""
    try:
        parts = urlsplit(url)
        fault = _fault(url, parts)
    except ValueError as error:  # brackets and ports
        parts, fault = None, str(error)
    if fault:
        shown = "the URL" if parts is None or "@" in parts.netloc else repr(url)
        raise SettingsError(
            f"{shown} is no base URL: {fault}; expected something like http://127.0.0.1:8000/v1"
        )
    return url


def _fault(url: str, parts: SplitResult) -> str | None:
    if parts.scheme not in ("http", "https") or "://" not in url:
        return "it does not begin with http:// or https://"
    if any(char.isspace() or not char.isprintable() for char in url):
        return "it holds a blank"
    if "@" in parts.netloc:
        return "it holds a user or a password; a key goes into an environment variable of its own"
    if not parts.hostname:
        return "it names no host"
    if parts.port == 0:
        return "there is no port 0"
    try:
        parts.hostname.encode("idna")
    except UnicodeError:
        return f"{parts.hostname!r} can be no host"
    if parts.path.rstrip("/").endswith(_ENDPOINT):
        return f"{_ENDPOINT} at its end is added to each request"
    return None
