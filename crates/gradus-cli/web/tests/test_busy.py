"""What the page shows when the server refuses requests because it has too much to do."""

import socket

from conftest import drawn
from playwright.sync_api import expect

STREAM = "GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"


def test_a_page_without_events_is_updated_and_says_so(server, visit):
    streams = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
    for stream in streams:
        stream.sendall(STREAM.format(port=server.port).encode())
        assert stream.recv(12) == b"HTTP/1.1 200"
    page = visit(f"{server.url}#train", refusals=True)
    notice = page.locator("#connection")
    expect(notice).to_contain_text("too many open pages")
    # It can be used all the same.
    page.locator("#settings [name=data]").select_option("digits")
    page.locator("#settings").get_by_label("Epochs", exact=True).fill("1")
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#runs tbody tr .state")).to_have_text("finished", timeout=60_000)
    for stream in streams:
        stream.close()
    expect(notice).to_be_hidden()


def test_a_busy_server_is_named_and_the_drawing_can_be_tried_again(serve, model, visit):
    page = visit(f"{serve(model).url}#draw", refusals=True)
    refusal = '{"error": "the server is busy predicting other images: try again in a moment"}'
    answer = {"status": 503, "content_type": "application/json", "body": refusal}
    page.route("**/api/answer*", lambda route: route.fulfill(**answer))
    drawn(page, [(0.5, 0.15), (0.5, 0.85)])
    expect(page.locator("#problem")).to_contain_text("busy predicting other images")
    expect(page.locator("#verdict")).to_have_text("No prediction.")
    page.unroute("**/api/answer*")
    drawn(page, [(0.52, 0.15), (0.52, 0.85)])
    expect(page.locator("#problem")).to_be_empty()
    expect(page.locator("#verdict strong")).to_be_visible()


def test_a_page_whose_session_has_ended_says_so(serve, visit):
    token = "rosebud-of-1941-in-black"
    first = serve("--token", token)
    page = visit(first.url, refusals=True)
    expect(page.locator("#connection")).to_be_hidden()
    assert page.url.rstrip("/").endswith(str(first.port))
    first.stop()
    serve("--token", token, port=first.port)
    expect(page.locator("#connection")).to_contain_text("open the address that gradus printed")
