"""The certificates that servers are checked by, as the environment has them."""

import os
import ssl
from functools import cache

import certifi

from pytest_sema_bench.errors import SettingsError


def certificates(base_url: str) -> ssl.SSLContext | bool:
    """What a server is checked by; False for plain HTTP. Raises SettingsError if they are unusable.

    They are those of SSL_CERT_FILE or SSL_CERT_DIR, or else certifi's.
    """
    if not base_url.lower().startswith("https:"):
        return False
    return _loaded(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


# They take 30 ms to load.
@cache
def _loaded(file: str | None, folder: str | None) -> ssl.SSLContext:
    if folder and not file:
        return ssl.create_default_context(capath=folder)
    try:
        return ssl.create_default_context(cafile=file or certifi.where())
    except OSError as error:
        raise SettingsError(
            f"SSL_CERT_FILE: no certificates can be read from {file}: {error.strerror}; name a "
            "file in PEM, or unset it"
        ) from None
