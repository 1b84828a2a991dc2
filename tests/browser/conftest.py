"""A real Chromium that opens reports from disk; without one these tests are skipped."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from pytest_sema_bench.records.reader import read_run
from pytest_sema_bench.report.html import write_report
from pytest_sema_bench.report.runs import merge_runs
from tests.samples.hostile_run import write_hostile_run
from tests.samples.made_up_run import PLAYERS, write_made_up_run

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Tab:
    """A page, and what went on in it."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    """Console messages and errors."""
    requests: list[str] = field(default_factory=list)
    """All but the report itself."""

    def go(self, fragment: str) -> Page:
        """The page at this fragment, loaded anew."""
        self.page.goto("about:blank")
        self.page.goto(self.address + fragment)
        return self.page


OpenTab = Callable[..., Tab]


# Of a module, not of the session: while it lives, no other test of the thread can use asyncio.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"there is no Chromium on PATH ({', '.join(NAMES)}): apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The file of a report on a usual run, and on a hostile one."""
    folder = tmp_path_factory.mktemp("reports")
    write_made_up_run(folder / "runs" / "usual", players=PLAYERS[:2])
    write_hostile_run(folder / "hostile" / "run")
    files = {"usual": folder / "usual.html", "hostile": folder / "hostile.html"}
    write_report(merge_runs([read_run(folder / "runs" / "usual")]), files["usual"])
    write_report(merge_runs([read_run(folder / "hostile" / "run")]), files["hostile"])
    return files


@pytest.fixture
def open_tab(browser: Browser, reports: dict[str, Path]) -> Iterator[OpenTab]:
    """Opens a report: `open_tab(name="usual", width=1200, scheme="light", fragment="")`."""
    contexts = []

    def open_tab(
        name: str = "usual", *, width: int = 1200, scheme: str = "light", fragment: str = ""
    ) -> Tab:
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        contexts.append(context)
        tab = Tab(page=context.new_page(), address=reports[name].as_uri())
        tab.page.on("console", lambda message: tab.complaints.append(message.text))
        tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.page.on(
            "request",
            lambda request: (
                tab.requests.append(request.url)
                if not request.url.startswith((tab.address, "about:"))
                else None
            ),
        )
        tab.go(fragment)
        return tab

    yield open_tab
    for context in contexts:
        context.close()
