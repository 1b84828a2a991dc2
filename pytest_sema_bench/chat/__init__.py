"""The chat API: OpenAI-compatible chat completions over HTTP, and nothing else knows HTTP."""

from pytest_sema_bench.chat.backoff import Patience
from pytest_sema_bench.chat.cassette import RecordingWire, ReplayWire
from pytest_sema_bench.chat.client import ChatClient
from pytest_sema_bench.chat.permit import Limiter, Unlimited
from pytest_sema_bench.chat.reply import ChatReply
from pytest_sema_bench.chat.wire import LocalWire, Wire

__all__ = [
    "ChatClient",
    "ChatReply",
    "Limiter",
    "LocalWire",
    "Patience",
    "RecordingWire",
    "ReplayWire",
    "Unlimited",
    "Wire",
]
