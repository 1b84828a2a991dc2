"""The proxy that requests go through, as the environment has it."""

from dataclasses import dataclass
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from pytest_sema_bench.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """The proxy that requests go through, as the environment has it."""

    url: URL
    """Its address, with credentials if it has some."""
    variable: str

    @property
    def name(self) -> str:
        """What it is called in errors, without the credentials that its URL may hold."""
        return f"the proxy {self.url.host}:{self.url.port} of {self.variable}"


def proxy_of(base_url: str) -> Proxy | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY give for a server.

    aiohttp's own `trust_env` looks it up for each request in a thread of its own, and would send
    what ~/.netrc holds for the host. Raises SettingsError for one that cannot be used.
    """
    url, proxies = URL(base_url), getproxies()
    scheme = url.scheme if proxies.get(url.scheme) else "all"
    proxy = proxies.get(scheme)
    # NO_PROXY may name an address with its port, and one of IPv6 with brackets or without.
    names = url.host or "", url.host_subcomponent or "", f"{url.host_subcomponent}:{url.port}"
    if not proxy or any(map(proxy_bypass, names)):
        return None
    variable = f"{scheme.upper()}_PROXY"
    try:
        found = URL(proxy)
    except ValueError as error:
        raise SettingsError(f"the proxy in {variable} is no URL: {error}") from None
    if found.scheme not in ("http", "https") or not found.port:
        raise SettingsError(
            f"the proxy in {variable}: expected something like http://127.0.0.1:3128, and no other "
            f"kind than http; unset it, or name {url.host} in NO_PROXY"
        )
    return Proxy(url=found, variable=variable)
