"""The other tabs in a real browser."""

import csv
import io
import json
import shutil

from playwright.sync_api import expect

from tests.space.browsing import WAIT, headline, panel, saved, upload
from tests.space.made_up import LABELS

HEARD = """() => { window.heard = []; new MutationObserver(() => {
  const text = document.querySelector("#live-answer .headline")?.firstChild?.nextSibling?.textContent?.trim();
  if (text && heard.at(-1) !== text) heard.push(text);
}).observe(document.getElementById("live-answer"), { childList: true, subtree: true }); }"""


def test_live_follows_the_microphone_says_when_it_is_late_and_catches_up(visit, server):
    page = visit("Live")
    page.evaluate(HEARD)
    before = set(server.files())
    panel(page).get_by_role("button", name="Record", exact=True).click()
    page.wait_for_function("['Silence', 'Sad', 'Happy'].every((name) => heard.includes(name))", timeout=WAIT)
    expect(panel(page).locator("svg.stack rect").nth(10)).to_be_attached()
    status = panel(page).get_by_role("status")
    expect(status).to_contain_text("s left.", timeout=WAIT)
    page.route("**/live?*", lambda route: (page.wait_for_timeout(3000), route.continue_()), times=1)
    expect(status).to_contain_text("s behind", timeout=WAIT)
    expect(status).not_to_contain_text("s behind", timeout=WAIT)
    panel(page).get_by_role("button", name="Stop").click()
    expect(panel(page).get_by_role("button", name="Record", exact=True)).to_be_visible()
    assert set(server.files()) == before


def test_who_finds_no_place_is_told_and_the_end_is_said(visit):
    page = visit("Live")
    answers = iter(
        [
            {"waiting": 1, "seconds": 42},
            {"html": "<section class='answer'><h2 class='headline'>Now</h2></section>", "end": 1, "left": 7},
            {"over": 120},
        ]
    )
    page.route("**/live?*", lambda route: route.fulfill(json=next(answers, {})))
    page.evaluate(
        "() => { window.said = []; new MutationObserver(() => said.push(document.getElementById('live-status').textContent))"
        ".observe(document.getElementById('live-status'), { childList: true, characterData: true, subtree: true }); }"
    )
    panel(page).get_by_role("button", name="Record", exact=True).click()
    expect(panel(page).get_by_role("status")).to_contain_text("The 2 minutes are over. Press Record", timeout=WAIT)
    said = page.evaluate("said")
    assert any("1 visitor waits before you, the next place is free within 42 s" in text for text in said)
    assert any("7 s left" in text for text in said)


def test_a_long_recording_becomes_a_timeline_whose_sliders_obey_the_keyboard(visit, clips, tmp_path):
    page = visit("Long recording")
    upload(page, clips["long.wav"])
    expect(headline(page)).to_contain_text("30 windows, 10 of them without a voice", timeout=WAIT)
    rows = list(csv.DictReader(io.StringIO(saved(page, "Download CSV", tmp_path / "a.csv").decode("utf-8-sig"))))
    assert (rows[0]["emotion"], rows[15]["emotion"], rows[-1]["emotion"]) == ("sad", "silence", "happy")
    assert saved(page, "Download labels", tmp_path / "a.txt").decode().startswith("0.000000\t3.000000\tsad")
    frame = panel(page).locator(".timed .frame").first
    frame.hover(position={"x": frame.bounding_box()["width"] * 0.5, "y": 30})
    expect(panel(page).locator(".tip")).to_contain_text("s: silence")
    panel(page).get_by_role("slider", name="Step").focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    expect(headline(page)).to_contain_text("16 windows", timeout=WAIT)
    panel(page).get_by_label("Cut at pauses").check()
    expect(headline(page)).not_to_contain_text("16 windows", timeout=WAIT)
    expect(panel(page).locator("#recording .component-wrapper")).not_to_be_visible()


def test_several_files_become_a_table_with_what_is_wrong_also_on_a_phone(visit, clips, tmp_path):
    page = visit("Batch")
    page.set_viewport_size({"width": 360, "height": 800})
    long = shutil.copy(clips["happy.wav"], tmp_path / f"{'a long name ' * 12}.wav")
    formula = shutil.copy(clips["sad.wav"], tmp_path / "=1+1.wav")
    many = [shutil.copy(clips["sad.wav"], tmp_path / f"{number}.wav") for number in range(20)]
    upload(page, clips["empty.wav"], long, formula, *many)
    expect(headline(page)).to_contain_text("22 of 23 clips heard", timeout=WAIT)
    assert headline(page).bounding_box()["y"] < 1000
    table = panel(page).locator("table.rows tbody tr")
    expect(table.nth(0)).to_contain_text("empty.wav is empty")
    for row in (0, 1):
        cell = table.nth(row).locator("td").bounding_box()
        assert cell["x"] >= 0 and cell["x"] + cell["width"] <= 360
    expect(table.nth(1).locator("td")).to_contain_text("happy")
    lines = saved(page, "Download CSV", tmp_path / "a.csv").decode("utf-8-sig").splitlines()
    assert lines[3].startswith("'=1+1.wav,sad")
    assert len(json.loads(saved(page, "Download JSON", tmp_path / "a.json"))) == 23


def test_two_clips_stand_side_by_side(visit, clips):
    page = visit("Compare")
    upload(page, clips["sad.wav"], to="#first")
    upload(page, clips["happy.wav"], to="#second")
    expect(headline(page)).to_have_count(2, timeout=WAIT)
    first, second = (box.bounding_box() for box in panel(page).locator(".side").all())
    assert first["y"] == second["y"] and first["x"] < second["x"]
    expect(panel(page).locator("table.figures")).to_contain_text("median pitch")


def test_about_says_what_to_expect_and_leads_to_the_api(visit):
    page = visit("About")
    for text in ("35.0% [30%, 40%]", "64.1%", "63.2% [60%, 68%]", "must not be used", "CC BY-NC-SA 4.0", "RAVDESS"):
        expect(panel(page).get_by_text(text).first).to_be_visible()
    expect(panel(page).locator("table.matrix tbody tr")).to_have_count(len(LABELS))
    page.set_viewport_size({"width": 360, "height": 800})
    panel(page).get_by_role("link", name="how each is called").click()
    expect(page.locator(".api-docs").first).to_be_visible(timeout=WAIT)
