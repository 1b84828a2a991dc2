"""The report in a real browser, opened from disk."""

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenTab
from tests.samples.hostile_run import SCRIPT

ITEM = "#/item/L2-05-palindrome/ash-2-tools-s1"
VIEWS = {"overview": "", "items": "#/items", "item": ITEM}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("fragment", VIEWS.values(), ids=VIEWS)
def test_each_view_opens_quietly(open_tab: OpenTab, fragment: str, scheme: str) -> None:
    """No error, no message on the console, no request."""
    tab = open_tab(scheme=scheme, fragment=fragment)
    expect(tab.page.locator("h1:visible")).to_have_count(1)
    tab.page.wait_for_load_state("networkidle")
    assert tab.complaints == []
    assert tab.requests == []


@pytest.mark.parametrize("fragment", VIEWS.values(), ids=VIEWS)
def test_nothing_sticks_out_on_a_telephone(open_tab: OpenTab, fragment: str) -> None:
    """At 400 px only the inside of a table scrolls sideways, not the page."""
    page = open_tab(width=400, fragment=fragment).page
    expect(page.locator("h1:visible")).to_have_count(1)
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_both_schemes_are_there(open_tab: OpenTab) -> None:
    """The page follows the system, and the button overrules it for the next visit too."""
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = open_tab(scheme="light"), open_tab(scheme="dark")
    colours = light.page.evaluate(ground), dark.page.evaluate(ground)
    assert colours[0] != colours[1]
    button = light.page.get_by_role("button", name=re.compile("^Theme"))
    button.click()
    button.click()
    expect(button).to_have_text("Theme: dark")
    assert light.page.evaluate(ground) == colours[1]
    light.page.reload()
    assert light.page.evaluate(ground) == colours[1]


def test_filters_narrow_the_list_and_survive_a_reload(open_tab: OpenTab) -> None:
    """What is chosen stands in the address, and an address chooses."""
    page = open_tab(fragment="#/items").page
    rows = page.locator("#rows tr")
    expect(rows).to_have_count(120)
    page.locator("#filters").get_by_label("Outcome").select_option("fail")
    page.locator("#filters").get_by_label("Level").select_option("L2")
    page.locator("#filters").get_by_label("Model").select_option("birch-pro-tools")
    address = page.url
    assert address.endswith("#/items?level=L2&outcome=fail&model=birch-pro-tools")
    n_rows = rows.count()
    assert 0 < n_rows < 15
    assert all("✗" in text and "L2-" in text for text in rows.all_inner_texts())
    page.reload()
    expect(rows).to_have_count(n_rows)
    expect(page.locator("#filters").get_by_label("Outcome")).to_have_value("fail")
    page.get_by_role("button", name="Clear").click()
    expect(rows).to_have_count(120)


def test_the_list_is_searched_by_word(open_tab: OpenTab) -> None:
    """Every word has to occur, in what the list says of an item."""
    page = open_tab(fragment="#/items").page
    page.get_by_label("Search").fill("Palin ash")
    expect(page.locator("#rows tr")).to_have_count(1)
    assert page.url.endswith("#/items?q=Palin%20ash")


def test_conversations_can_be_searched(open_tab: OpenTab) -> None:
    """What only a conversation holds is found when that is asked for."""
    page = open_tab(fragment="#/items?q=%22never%20odd%2C%20or%20even!%22").page
    rows = page.locator("#rows tr")
    expect(page.locator("#found")).to_have_text("0 of 120 items")
    page.get_by_label("in conversations too").check()
    expect(rows).to_have_count(2)
    assert page.url.endswith("&full=1")
    page.reload()
    expect(rows).to_have_count(2)


def test_a_cell_leads_to_its_conversation(open_tab: OpenTab) -> None:
    """The heat map's links are what can be copied and opened later."""
    tab = open_tab()
    cell = tab.page.get_by_role("link", name=re.compile("^L2-05-palindrome, ash-2-tools"))
    cell.focus()
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("L2-05-palindrome")
    assert tab.page.url == tab.address + ITEM
    expect(tab.page.locator("#overview")).to_be_hidden()
    tab.page.go_back()
    expect(tab.page.locator("#overview")).to_be_visible()


def test_a_link_opens_the_whole_conversation(open_tab: OpenTab) -> None:
    """System prompt, question, tool call in colour, reply, answer, cases, tokens and money."""
    page = open_tab(fragment="#/item/L1-01-arithmetic-exact/birch-pro-tools-s1").page
    article = page.locator("#item")
    for text in ("System prompt", "Question", "eval_code", "Final answer", "tokens in", "cost"):
        expect(article.get_by_text(text, exact=True).first).to_be_visible()
    expect(article.locator("details", has_text="Reasoning").first).to_be_attached()
    article.get_by_text(re.compile(r"^\d,\d+ characters$")).first.click()
    expect(article.get_by_text("You write Sema, a small Lisp.").first).to_be_visible()
    assert article.locator(".message .lisp-paren").count() > 4
    assert article.locator("table.cases tbody tr").count() >= 1
    assert re.search(r"\d\.\d s · [\d,]+ \+ \d+ tokens", article.inner_text())


def test_neighbours_are_those_of_the_list(open_tab: OpenTab) -> None:
    """From a filtered list, next goes to the next item of that list."""
    page = open_tab(fragment="#/items?outcome=fail").page
    names = page.locator("#rows td:nth-child(2)").all_inner_texts()
    page.locator("#rows a").first.click()
    page.get_by_role("link", name="next").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(names[1])


def test_an_unknown_item_is_named(open_tab: OpenTab) -> None:
    """A link to an item of another report says that it is not here."""
    page = open_tab(fragment="#/item/L9-99-x/nobody-s1").page
    expect(page.get_by_role("heading", level=1)).to_have_text("No such item")
    expect(page.locator("#item")).to_contain_text("L9-99-x, nobody-s1")


def test_hostile_text_runs_no_script(open_tab: OpenTab) -> None:
    """On no view does a model's text become an element, a script or a request."""
    tab = open_tab("hostile")
    for fragment in ("", "#/items", "#/items?q=%3Cscript&full=1"):
        tab.go(fragment)
        tab.page.wait_for_load_state("networkidle")
        assert tab.page.locator("img").count() == 0
    page = tab.page
    page.locator("#rows a").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"T-{SCRIPT}")
    expect(page.get_by_role("heading", name="Traceback")).to_be_visible()
    for details in page.locator("details").all():
        details.locator("summary").click()
    assert page.locator("#item script, #item img, #item style").count() == 0
    assert page.title() != "pwned"
    assert tab.complaints == []
    assert tab.requests == []


def test_odd_characters_are_shown_by_name(open_tab: OpenTab) -> None:
    """Marks of direction, controls, ANSI escapes and halves of characters can be seen."""
    page = open_tab("hostile", fragment="#/items").page
    page.locator("#rows a").first.click()
    expect(page.get_by_role("heading", name="Conversation")).to_be_visible()
    names = set(page.locator("#item .odd").all_text_contents())
    assert names == {"U+202E", "U+2066", "U+0000", "U+001B", "U+200B", "U+D800"}
    assert not page.evaluate(r"/[\u202e\u2066\0\x1b\u200b\ud800]/u.test(document.body.innerText)")


def test_long_lines_are_folded_and_can_be_opened(open_tab: OpenTab) -> None:
    """A line of 200 KB shows its beginning, and all of it when asked."""
    page = open_tab("hostile", fragment="#/items").page
    page.locator("#rows a").first.click()
    buttons = page.get_by_role("button", name=re.compile(r"^Show all 200,000"))
    expect(buttons.first).to_be_visible()
    shown = "document.getElementById('item').innerText.length"
    before = page.evaluate(shown)
    buttons.last.click()
    assert before < 60_000 < 200_000 < page.evaluate(shown)


def test_hostile_names_make_a_link_that_works(open_tab: OpenTab) -> None:
    """The address of an item survives any name."""
    label = "<img src=x onerror=\"document.title='pwned'\">-tools-s1"
    page = open_tab(
        "hostile", fragment=f"#/item/{quote(f'T-{SCRIPT}', safe='')}/{quote(label, safe='')}"
    ).page
    expect(page.get_by_role("heading", level=1)).to_have_text(f"T-{SCRIPT}")
