"""A headless browser, for the tests of the two HTML pages."""

import json
import re
import shutil
import subprocess

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
SWITCHES = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def selftest(page, tmp_path):
    """Open a page's #selftest on a screen the size of a phone -> its report."""
    command = [
        CHROMIUM, *SWITCHES, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=390,844",
        "--virtual-time-budget=5000", "--dump-dom", f"{page.as_uri()}#selftest",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    report = json.loads(re.search(r'<pre id="report">(.*?)</pre>', done.stdout, re.S)[1])
    assert report["errors"] == []
    assert report["requests"] == 0
    assert not report["wide"]  # nothing to scroll sideways
    return report
