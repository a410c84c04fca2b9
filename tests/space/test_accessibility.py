"""The page for everybody: in both themes, narrow and wide, with results on every tab, and for screen readers."""

import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.space.browsing import TABS, WAIT, go, headline, open_at, panel, upload

# Gradio's own, each by its rule and where it is; what is not listed is new, or ours.
GRADIOS = {("nested-interactive", "common.upload")}  # the button that adds files to a list
NAMELESS = """() => [...document.querySelectorAll("button, input, select, img, svg[role=img]")].filter((element) =>
  element.checkVisibility() && !element.closest("[aria-hidden=true]") && !(element.textContent.trim() ||
  element.getAttribute("aria-label") || element.title || element.alt || element.labels?.length)
).map((element) => element.outerHTML.slice(0, 150))"""


def fill(page: Page, clips) -> None:
    """Puts a result on every tab that can have one."""
    upload(page, clips["happy.wav"])
    expect(headline(page)).to_be_visible(timeout=WAIT)
    go(page, "Compare")
    upload(page, clips["sad.wav"], to="#first")
    upload(page, clips["happy.wav"], to="#second")
    expect(headline(page)).to_have_count(2, timeout=WAIT)
    go(page, "Live")
    panel(page).get_by_role("button", name="Record", exact=True).click()
    expect(headline(page)).to_be_visible(timeout=WAIT)
    panel(page).get_by_role("button", name="Stop").click()
    go(page, "Long recording")
    upload(page, clips["long.wav"])
    expect(headline(page)).to_be_visible(timeout=WAIT)
    go(page, "Batch")
    upload(page, clips["sad.wav"], clips["empty.wav"])
    expect(headline(page)).to_be_visible(timeout=WAIT)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tab_fits_can_be_read_and_is_named(browser, server, clips, scheme):
    with browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme) as context:
        context.grant_permissions(["microphone"])
        page = open_at(context, server.url)
        fill(page, clips)
        ink = page.evaluate("getComputedStyle(document.querySelector('.headline')).color")
        assert (np.mean([int(value) for value in re.findall(r"\d+", ink)[:3]]) > 127) == (scheme == "dark")
        found = set()
        for tab in TABS:
            go(page, tab)
            assert page.evaluate(NAMELESS) == []
            for width in (1280, 360):
                page.set_viewport_size({"width": width, "height": 900})
                assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
            for violation in Axe().run(page).response["violations"]:
                if violation["impact"] in ("serious", "critical"):
                    found |= {(violation["id"], tab, str(node["target"])) for node in violation["nodes"]}
            page.set_viewport_size({"width": 1280, "height": 900})
        ours = {entry for entry in found if not any(entry[0] == rule and part in entry[2] for rule, part in GRADIOS)}
        assert ours == set()


def test_who_wants_no_motion_sees_none(browser, server):
    with browser.new_context(reduced_motion="reduce") as context:
        page = open_at(context, server.url)
        moving = (
            "() => [...document.querySelectorAll('*')].filter((element) => { const style = getComputedStyle(element); "
        )
        moving += "return style.transitionDuration.split(', ').some((time) => time !== '0s'); }).length"
        assert page.evaluate(moving) == 0
