"""Writes docs/images/page-VIEW-SCHEME-WIDTH.png: the three views of the page, light and dark, wide and
on a phone, with a model that it first trains on MNIST.

    python screenshots.py PROGRAM FOLDER

PROGRAM is the built gradus, FOLDER where the screenshots go. MNIST must be on this machine.
"""

import io
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from conftest import drawn
from PIL import Image
from playwright.sync_api import expect, sync_playwright

WIDTHS = {"wide": (1100, 900), "phone": (360, 740)}


def main():
    program, folder = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as models:
        train = [program, "train", "--hidden", "128", "--quiet", "--out", "digits.safetensors"]
        subprocess.run(train, cwd=models, check=True)
        serve = [program, "serve", "digits.safetensors", "--port", "0"]
        server = subprocess.Popen(serve, cwd=models, stdout=subprocess.PIPE, text=True)
        try:
            take(server.stdout.readline().split()[0], folder)
        finally:
            server.terminate()
            server.wait()


def take(address, folder):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium())
        page = browser.new_page()
        page.goto(f"{address}#train")
        run_three(page)
        page.close()
        for scheme in ("light", "dark"):
            for width, (across, down) in WIDTHS.items():
                page = browser.new_page(viewport={"width": across, "height": down}, color_scheme=scheme)
                for view, prepare in VIEWS.items():
                    page.goto("about:blank")
                    page.goto(f"{address}#{view}")
                    prepare(page)
                    keep(page.screenshot(), folder / f"page-{view}-{scheme}-{width}.png")
                page.close()
        browser.close()


def run_three(page):
    """Three runs of different networks, so that there are curves to show."""
    for hidden, dropout in (("32", ""), ("128", ""), ("256,128", "0.2")):
        page.locator("[name=hidden]").fill(hidden)
        page.locator("#more").evaluate("box => (box.open = true)")
        page.locator("[name=dropout]").fill(dropout)
        before = page.locator("#runs tbody tr").count()
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#runs tbody tr")).to_have_count(before + 1)
        expect(page.locator("#runs .state").first).to_have_text("finished", timeout=120_000)


def draw_digit(page):
    """A 5, stroke by stroke."""
    drawn(page, [(0.62, 0.22), (0.38, 0.22), (0.36, 0.46), (0.5, 0.42), (0.64, 0.52), (0.64, 0.68), (0.5, 0.78), (0.36, 0.72)])
    time.sleep(1)


def show_curves(page):
    expect(page.locator("#chart-loss")).to_have_attribute("aria-label", re.compile("after epoch.*;.*;"))
    time.sleep(0.5)


def show_samples(page):
    expect(page.locator("#samples li")).to_have_count(60)


VIEWS = {"draw": draw_digit, "train": show_curves, "data": show_samples}


def keep(screenshot, path):
    """Writes a screenshot with 64 colours, which are enough for a page and take a quarter of the bytes."""
    image = Image.open(io.BytesIO(screenshot)).convert("RGB")
    image.quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size} bytes")


def chromium():
    """The system's chromium if there is one, else playwright's own."""
    system = Path("/usr/bin/chromium")
    return str(system) if system.exists() else None


if __name__ == "__main__":
    main()
