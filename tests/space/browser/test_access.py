"""The page for everybody: phones, dark rooms, keyboards, screen readers."""

import pytest
import soundfile
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.space.browser.conftest import WAIT, opened
from tests.space.conftest import RATE, hum

TABS = ("Clip", "Live", "Long recording", "Batch", "About")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_violation_and_nothing_wider_than_a_phone(browser, file_server, clips, tmp_path, scheme):
    soundfile.write(tmp_path / "mine.wav", hum(150, 6), RATE)
    # The policy of the page forbids the checker's script too.
    options = {"viewport": {"width": 360, "height": 780}, "color_scheme": scheme, "permissions": ["microphone"]}
    with browser.new_context(bypass_csp=True, **options) as context:
        page = opened(context, file_server.url)
        page.get_by_text("Your voice first").click()
        page.locator("#voice input[type=file]").set_input_files(str(tmp_path / "mine.wav"))
        expect(page.locator("#voice .sentence")).to_contain_text("of your voice", timeout=WAIT)
        for tab, files in {
            "clip": ["happy.wav"],
            "recording": ["happy.wav"],
            "batch": ["happy.wav", "short.wav"],
        }.items():
            page.locator(f"#tab-{tab}").click()
            page.locator(f"#{tab} input[type=file]").set_input_files([str(clips[name]) for name in files])
            expect(page.locator(f"#{tab} .headline")).to_be_visible(timeout=WAIT)
        page.get_by_role("tab", name="Live").click()
        page.get_by_role("button", name="Listen").click()
        expect(page.locator("#live .headline")).to_be_visible(timeout=WAIT)
        page.get_by_role("button", name="Stop").click()
        for tab in TABS:
            page.get_by_role("tab", name=tab).click()
            violations = Axe().run(page).response["violations"]
            serious = [
                (found["id"], found["nodes"][0]["html"])
                for found in violations
                if found["impact"] in ("serious", "critical")
            ]
            assert not serious, tab
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= 360, tab


def test_by_keyboard(visit):
    page = visit("Clip")
    page.locator("#voice summary").press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#voice").get_by_role("button", name="Record")).to_be_focused()
    page.locator("#voice summary").press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("tab", name="Clip")).to_be_focused()
    for tab in (*TABS[1:], TABS[0]):
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name=tab)).to_be_focused()
        expect(page.get_by_role("tabpanel", name=tab)).to_be_visible()
    page.locator("#clip .examples button").first.press("Enter")
    expect(page.locator("#clip .headline")).to_be_visible(timeout=WAIT)
    seek = page.locator("#clip .seek")
    seek.press("ArrowRight")
    expect(page.locator("#clip .now")).to_contain_text("0.1 s")
