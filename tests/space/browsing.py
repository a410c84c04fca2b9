"""What a visitor does in a browser."""

import re

from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.space.made_up import LABELS

WAIT = 120_000  # milliseconds; a busy machine is not an error
EMOTIONS = re.compile("|".join(label.capitalize() for label in LABELS) + "|Not sure")
TABS = ("Clip", "Compare", "Live", "Long recording", "Batch", "About")


def open_at(context: BrowserContext, url: str, tab: str = "Clip") -> Page:
    """The page at a tab."""
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.goto(url, timeout=WAIT)
    go(page, tab)
    return page


def go(page: Page, tab: str) -> None:
    """Opens a tab."""
    page.get_by_role("tab", name=tab).click()
    expect(panel(page)).to_have_count(1)


def panel(page: Page) -> Locator:
    """The tab that shows."""
    return page.locator("[role=tabpanel]:visible")


def upload(page: Page, *paths, to: str = "") -> None:
    """Gives files to the tab that shows, or to one part of it."""
    place = page.locator(to) if to else panel(page)
    files = place.locator("input[type=file]")
    if not files.count():
        place.get_by_role("button", name="Upload file").click()
    files.set_input_files(list(paths))


def headline(page: Page) -> Locator:
    return panel(page).locator(".headline")


def sentence(page: Page) -> Locator:
    return panel(page).locator(".sentence")


def saved(page: Page, link: str, path) -> bytes:
    """What a link downloads."""
    with page.expect_download() as download:
        panel(page).get_by_role("link", name=link).click()
    download.value.save_as(path)
    return path.read_bytes()
