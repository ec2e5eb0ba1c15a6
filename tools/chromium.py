"""A page in a headless Chromium, over the pipe of its DevTools protocol: for tests and screenshots.

with open_page(Path("report.html"), width=390, dark=True) as page:
    page.evaluate("document.title")
"""

import base64
import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SECONDS = 120
_PROGRAM = "chromium"


class Page:
    """A page that has been loaded.

    Attributes:
        requests: addresses that it asked for, its own among them.
        errors: what its console shows as errors.
    """

    def __init__(self, read: int, write: int):
        self._read, self._write = read, write
        self._session: dict[str, str] = {}
        self._number = 0
        self._rest = b""
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._loaded = False

    def open(self, address: str, width: int, height: int, dark: bool, media: str) -> None:
        """Loads an address and waits until it and all in it is there."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._session = {"sessionId": session}
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
        size = {"width": width, "height": height}
        self.call(
            "Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=1, mobile=width < 500
        )
        self._loaded = False
        self.call("Page.navigate", url=address)
        while not self._loaded:
            self._take()

    def evaluate(self, expression: str) -> Any:
        """The value of JavaScript, awaited; as JSON has it."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:1000])
        return answer["result"].get("value")

    def screenshot(self, kind: str = "webp", quality: int = 60, whole: bool = False) -> bytes:
        """A picture of what is seen, or of the whole page."""
        answer = self.call(
            "Page.captureScreenshot", format=kind, quality=quality, captureBeyondViewport=whole
        )
        return base64.b64decode(answer["data"])

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the protocol and waits for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters, **self._session}
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._take()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]

    def _take(self) -> dict[str, Any]:
        """The next message; what it tells of the page is noted."""
        end = time.monotonic() + _SECONDS
        while b"\0" not in self._rest:
            if not select.select([self._read], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError(f"Chromium said nothing for {_SECONDS} s")
            more = os.read(self._read, 1 << 20)
            if not more:
                raise RuntimeError("Chromium has ended")
            self._rest += more
        text, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(text)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, method: str, told: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Log.entryAdded" and told["entry"]["level"] == "error":
            self.errors.append(told["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(told["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled" and told["type"] == "error":
            self.errors.append(json.dumps(told["args"]))
        elif method == "Page.loadEventFired":
            self._loaded = True


@contextlib.contextmanager
def open_page(
    file: Path, width: int = 1100, height: int = 900, dark: bool = False, media: str = "screen"
) -> Iterator[Page]:
    """Opens a file in a Chromium of its own, which ends with the block.

    Args:
        file: HTML.
        width: of the window, pixels; below 500 it is a phone's.
        height: of the window, pixels.
        dark: whether its user prefers dark colours.
        media: `screen` or `print`.
    """
    to_us, to_it = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        command = [
            *(_PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--disable-background-networking", "--remote-debugging-pipe"),
            f"--user-data-dir={folder}",
        ]
        # It reads file descriptor 3 and writes 4.
        script = f'exec "$@" 3<&{to_it[0]} 4>&{to_us[1]}'
        process = subprocess.Popen(
            ["bash", "-c", script, "bash", *command],
            pass_fds=(to_it[0], to_us[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_it[0])
        os.close(to_us[1])
        try:
            page = Page(to_us[0], to_it[1])
            page.open(file.absolute().as_uri(), width, height, dark, media)
            yield page
        finally:
            process.terminate()
            process.wait()
            os.close(to_us[0])
            os.close(to_it[1])


def write_screenshots(file: Path, folder: Path) -> None:
    """Writes what a page of a run looks like: at its top, its pictures, and on a dark phone."""
    folder.mkdir(parents=True, exist_ok=True)
    with open_page(file) as page:
        (folder / "report.webp").write_bytes(page.screenshot())
        page.evaluate("document.getElementById('pictures').scrollIntoView()")
        (folder / "report_pictures.webp").write_bytes(page.screenshot())
    with open_page(file, width=390, height=844, dark=True) as page:
        (folder / "report_phone.webp").write_bytes(page.screenshot())


if __name__ == "__main__":
    write_screenshots(*map(Path, sys.argv[1:]))
