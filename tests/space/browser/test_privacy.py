"""Nothing leaves the device, and after the first visit nothing is needed from outside it."""

from playwright.sync_api import expect

from tests.space.browser.conftest import WAIT, opened

FETCH = "fetch({!r}, {{mode: 'no-cors'}}).then(() => 'sent', () => 'refused')"


def choose_clip(page, path) -> None:
    page.locator("#clip input[type=file]").set_input_files(str(path))


def test_no_request_is_made_by_listening(visit, file_server, clips):
    page = visit("Clip")
    expect_kept(page, file_server)
    asked, before = [], len(file_server.requests)
    page.context.on("request", lambda request: asked.append((request.method, request.url)))
    choose_clip(page, clips["happy.wav"])
    expect(page.locator("#clip .headline")).to_be_visible(timeout=WAIT)
    page.get_by_role("tab", name="Live").click()
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#live .headline")).to_be_visible(timeout=WAIT)
    outside = [url for _, url in asked if not url.startswith(("blob:", "data:", file_server.url))]
    assert outside == [] and {method for method, _ in asked} <= {"GET"}
    assert len(file_server.requests) - before <= 1  # the microphone's script, if it was not kept yet


def test_the_browser_itself_refuses_other_addresses(visit, serve):
    """The page's policy, and not our good will alone."""
    elsewhere = serve()
    page = visit("Clip")
    devtools = page.context.new_cdp_session(page)
    for address, outcome in ((elsewhere.url, "refused"), (page.url, "sent")):
        answer = devtools.send(
            "Runtime.evaluate", {"expression": FETCH.format(address), "awaitPromise": True, "returnByValue": True}
        )
        assert answer["result"]["value"] == outcome
    assert elsewhere.requests == []


def test_without_a_network_after_the_first_visit(context, file_server, clips):
    page = opened(context, file_server.url)
    expect_kept(page, file_server)
    page.close()
    file_server.stop()
    context.set_offline(True)
    page = opened(context, file_server.url)
    choose_clip(page, clips["sad.wav"])
    expect(page.locator("#clip .headline")).to_contain_text("Sad", timeout=WAIT)
    page.get_by_role("button", name="Record").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    page.get_by_role("tab", name="About").click()
    expect(page.locator("#about")).to_contain_text("What it is")


def expect_kept(page, file_server) -> None:
    """Waits until the browser has kept the whole page."""
    ready = "navigator.serviceWorker.ready.then((registration) => registration.active.state)"
    devtools = page.context.new_cdp_session(page)
    devtools.send("Runtime.evaluate", {"expression": ready, "awaitPromise": True})
    assert sum(path.endswith(".wasm") for path in file_server.requests) >= 1
