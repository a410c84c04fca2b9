"""The page in a real browser: every tab, with good input and with bad."""

import csv
import re
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.space.conftest import LABELS, Server

WAIT = 60_000  # milliseconds; a busy machine is not an error
EMOTIONS = re.compile("|".join(label.capitalize() for label in LABELS) + "|Not sure")


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport={"width": 1100, "height": 900}) as context:
        context.grant_permissions(["microphone"])
        yield context


@pytest.fixture
def visit(context: BrowserContext, server: Server) -> Callable[..., Page]:
    """Opens the page at a tab."""

    def visit(tab: str, **query: str) -> Page:
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.goto(server.url + "?" + "&".join(f"{name}={value}" for name, value in query.items()))
        page.get_by_role("tab", name=tab).click()
        expect(panel(page)).to_have_count(1)
        return page

    return visit


def panel(page: Page) -> Locator:
    """The tab that shows."""
    return page.locator("[role=tabpanel]:visible")


def upload(page: Page, *paths) -> None:
    """Gives files to the tab that shows."""
    files = panel(page).locator("input[type=file]")
    if not files.count():
        panel(page).get_by_role("button", name="Upload file").click()
    files.set_input_files(list(paths))


def headline(page: Page) -> Locator:
    return panel(page).locator(".headline")


def sentence(page: Page) -> Locator:
    return panel(page).locator(".sentence")


def test_an_uploaded_clip_is_answered_with_bars_and_tracks(visit, clips):
    page = visit("Clip")
    upload(page, clips["happy.wav"])
    expect(headline(page)).to_contain_text("Happy", timeout=WAIT)
    expect(panel(page).locator(".bars tbody tr")).to_have_count(len(LABELS))
    shares = [int(text.split()[0]) for text in panel(page).locator(".bars .figure").all_inner_texts()]
    assert sum(shares) == pytest.approx(100, abs=4)
    assert max(shares) == shares[LABELS.index("happy")]
    for name in ("Waveform", "Mel spectrogram", "Loudness", "Pitch"):
        expect(panel(page).locator("figure").filter(has_text=name)).to_be_visible()
    marks = panel(page).locator("img.marks")
    expect(marks).to_be_visible()
    panel(page).get_by_label("Show what spoke for").uncheck()
    expect(marks).not_to_be_visible()


def test_an_example_is_one_click(visit):
    page = visit("Clip")
    panel(page).get_by_role("button", name="angry, woman").click()
    expect(headline(page)).to_contain_text(EMOTIONS, timeout=WAIT)


def test_a_warm_answer_costs_less_than_a_second_of_a_core(visit, server):
    page = visit("Clip")
    panel(page).get_by_role("button", name="angry, woman").click()
    expect(headline(page)).to_be_visible(timeout=WAIT)
    before = server.processor_time()
    for name in ("sad, woman", "calm, man", "happy, woman"):
        page.evaluate("document.querySelector('#clip-answer .headline').textContent = 'waiting'")
        panel(page).get_by_role("button", name=name).click()
        expect(headline(page)).not_to_have_text("waiting", timeout=WAIT)
    assert (server.processor_time() - before) / 3 < 1


def test_record_stop_and_record_again(visit):
    """No empty clip is sent, however often: the answer waits for the upload."""
    page = visit("Clip")
    for _ in range(2):
        panel(page).get_by_role("button", name="Record", exact=True).click()
        page.wait_for_timeout(4000)
        panel(page).get_by_role("button", name="Stop", exact=True).first.click()
        expect(headline(page)).to_contain_text(EMOTIONS, timeout=WAIT)
        expect(sentence(page)).to_have_count(0)
        panel(page).get_by_role("button", name="Clear").click()
        expect(panel(page).get_by_text("The answer appears here")).to_be_visible(timeout=WAIT)


def test_a_slow_upload_is_awaited(visit, clips):
    """A recording that is still on its way must not count as none (gradio-app/gradio, issue 8184)."""
    page = visit("Clip")
    page.route("**/upload*", lambda route: (page.wait_for_timeout(3000), route.continue_()))
    panel(page).get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(2500)
    panel(page).get_by_role("button", name="Stop", exact=True).first.click()
    page.wait_for_timeout(1500)
    expect(sentence(page)).to_have_count(0)
    expect(headline(page)).to_contain_text(EMOTIONS, timeout=WAIT)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("empty.wav", "empty"),
        ("broken.wav", "I cannot read this file"),
        ("silent.wav", "only silence"),
        ("endless.flac", "60 s is the most"),
    ],
)
def test_a_bad_clip_is_a_sentence_and_takes_the_old_answer_away(visit, clips, name, text):
    page = visit("Clip")
    panel(page).get_by_role("button", name="angry, woman").click()
    expect(headline(page)).to_be_visible(timeout=WAIT)
    panel(page).get_by_role("button", name="Clear").click()
    upload(page, clips[name])
    expect(sentence(page)).to_contain_text(text, timeout=WAIT)
    expect(headline(page)).to_have_count(0)


def test_an_oversized_file_is_a_sentence(visit, tmp_path):
    path = tmp_path / "big.wav"
    with path.open("wb") as file:
        file.truncate(130 * 1024 * 1024)
    page = visit("Clip")
    upload(page, path)
    expect(page.get_by_text("exceed the maximum allowed size").first).to_be_visible(timeout=WAIT)


def test_a_file_dropped_on_the_recorder_is_taken(visit, clips):
    page = visit("Clip")
    sound = list(clips["sad.wav"].read_bytes())
    transfer = page.evaluate_handle(
        "(bytes) => { const transfer = new DataTransfer(); transfer.items.add(new File([new Uint8Array(bytes)], "
        "'sad.wav', { type: 'audio/wav' })); return transfer; }",
        sound,
    )
    page.dispatch_event("#clip", "drop", {"dataTransfer": transfer})
    expect(headline(page)).to_contain_text("Sad", timeout=WAIT)


def test_live_follows_the_microphone_and_shows_silence_as_silence(visit):
    page = visit("Live")
    page.evaluate(
        "() => { window.heard = []; new MutationObserver(() => { const text = document.querySelector('#live-answer "
        ".headline')?.firstChild?.nextSibling?.textContent?.trim(); if (text && heard.at(-1)?.[0] !== text) "
        "heard.push([text, performance.now()]); }).observe(document.getElementById('live-answer'), "
        "{ childList: true, subtree: true }); }"
    )
    panel(page).get_by_role("button", name="Record", exact=True).click()
    page.wait_for_function(
        "['Silence', 'Sad', 'Happy'].every((name) => heard.some((entry) => entry[0] === name))", timeout=WAIT
    )
    expect(panel(page).locator("svg.stack rect").nth(10)).to_be_attached()
    panel(page).get_by_role("button", name="Stop").click()
    expect(panel(page).get_by_role("button", name="Record", exact=True)).to_be_visible()


def test_a_long_recording_becomes_a_timeline_and_a_csv(visit, clips, tmp_path):
    page = visit("Long recording")
    upload(page, clips["long.wav"])
    expect(headline(page)).to_contain_text("Mostly", timeout=WAIT)
    expect(panel(page).locator("svg.stack rect").nth(100)).to_be_attached()
    with page.expect_download() as download:
        panel(page).get_by_role("link", name="Download").or_(panel(page).get_by_role("button", name="Download")).click()
    download.value.save_as(tmp_path / "timeline.csv")
    with (tmp_path / "timeline.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    assert (rows[0]["emotion"], rows[15]["emotion"], rows[-1]["emotion"]) == ("sad", "silence", "happy")
    assert float(rows[0]["sad"]) > float(rows[0]["happy"])


def test_several_files_become_a_table_with_what_is_wrong(visit, clips, tmp_path):
    page = visit("Batch")
    upload(page, clips["happy.wav"], clips["sad.wav"], clips["empty.wav"])
    expect(headline(page)).to_contain_text("2 of 3 clips heard", timeout=WAIT)
    with page.expect_download() as download:
        panel(page).get_by_role("link", name="Download").or_(panel(page).get_by_role("button", name="Download")).click()
    download.value.save_as(tmp_path / "emotions.csv")
    with (tmp_path / "emotions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["emotion"] for row in rows] == ["happy", "sad", ""]
    assert "empty" in rows[2]["problem"]


def test_about_has_the_figures_of_the_checkpoint(visit):
    page = visit("About")
    for text in ("64.1%", "63.2% [60%, 68%]", "must not be used", "cc-by-nc-sa-4.0", "RAVDESS"):
        expect(panel(page).get_by_text(text).first).to_be_visible()
    expect(panel(page).locator("table.matrix tbody tr")).to_have_count(len(LABELS))


def test_a_denied_microphone_is_said_in_a_sentence(browser, server):
    with browser.new_context(permissions=[]) as context:
        page = context.new_page()
        page.goto(server.url)
        page.get_by_role("button", name="Record", exact=True).click(timeout=WAIT)
        expect(page.locator("#microphone-notice")).to_contain_text("The microphone is blocked.", timeout=WAIT)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_every_tab_fits_the_window_in_both_themes(browser, server, scheme, width):
    with browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(server.url)
        page.get_by_role("button", name="angry, woman").click(timeout=WAIT)
        expect(headline(page)).to_be_visible(timeout=WAIT)
        for tab in ("Clip", "Live", "Long recording", "Batch", "About"):
            page.get_by_role("tab", name=tab).click(timeout=WAIT)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
        ink = page.evaluate("getComputedStyle(document.querySelector('.headline')).color")
        assert (np.mean([int(value) for value in re.findall(r"\d+", ink)[:3]]) > 127) == (scheme == "dark")


def test_the_page_can_be_used_with_the_keyboard_alone(visit):
    page = visit("Clip")
    page.get_by_role("tab", name="Clip").focus()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "angry, woman":
            break
    page.keyboard.press("Enter")
    expect(headline(page)).to_be_visible(timeout=WAIT)


def test_every_control_has_a_name(visit):
    """For screen readers: text, label or title on every button, field and picture that is not hidden from them."""
    page = visit("Clip")
    panel(page).get_by_role("button", name="angry, woman").click()
    expect(headline(page)).to_be_visible(timeout=WAIT)
    nameless = page.evaluate(
        "() => [...document.querySelectorAll('button, input, select, img, svg[role=img]')].filter((element) => "
        "element.checkVisibility() && !element.closest('[aria-hidden=true]') && !(element.textContent.trim() || element.getAttribute('aria-label') || "
        "element.title || element.alt || element.labels?.length)).map((element) => element.outerHTML.slice(0, 150))"
    )
    assert nameless == []


def test_a_visitors_files_are_deleted_when_the_page_is_left(browser, server, clips, tmp_path):
    waveform, rate = soundfile.read(clips["happy.wav"])
    soundfile.write(tmp_path / "private.wav", 0.9 * waveform, rate)
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(server.url)
        upload(page, tmp_path / "private.wav")
        expect(headline(page)).to_be_visible(timeout=WAIT)
        assert any(path.name == "private.wav" for path in server.files())
    deadline = time.monotonic() + 60
    while any(path.name == "private.wav" for path in server.files()) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert not any(path.name == "private.wav" for path in server.files())
