"""A headless Chromium, driven through its DevTools pipe: nothing but the browser is needed."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE_S = 180


def find() -> str | None:
    """Path of a Chromium or Chrome, if there is one."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


def _out_of_the_way(descriptor: int) -> int:
    """The same pipe under a number that is neither 3 nor 4."""
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10)
    finally:
        os.close(descriptor)


class Browser:
    """One browser with a fresh profile; a context manager."""

    def __init__(self, executable: str, profile: Path) -> None:
        to_browser, self._commands = map(_out_of_the_way, os.pipe())
        self._answers, from_browser = map(_out_of_the_way, os.pipe())
        options = [
            "--headless",
            "--disable-gpu",
            "--disable-quic",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--no-first-run",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            f"--user-data-dir={profile}",
            "--remote-debugging-pipe",
        ]

        def connect() -> None:
            # The browser reads its commands from descriptor 3 and answers on descriptor 4.
            os.dup2(to_browser, 3)
            os.dup2(from_browser, 4)

        self._process = subprocess.Popen(
            [executable, *options],
            preexec_fn=connect,  # noqa: PLW1509  (no threads here)
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._unread = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        os.close(self._commands)
        os.close(self._answers)

    def page(self, *, width: int = 1200, height: int = 900, dark: bool = False) -> Page:
        """An empty page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        page = Page(self, attached["sessionId"])
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.call(f"{domain}.enable")
        page.call("Performance.enable", timeDomain="threadTicks")
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        page.media(dark=dark)
        return page

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a DevTools method and wait for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while (answer := self.read()).get("id") != self._number:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def read(self) -> dict[str, Any]:
        """The next message."""
        deadline = time.monotonic() + PATIENCE_S
        while b"\0" not in self._unread:
            left = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._answers], [], [], left)
            piece = os.read(self._answers, 1 << 20) if ready else b""
            if not piece:
                raise RuntimeError("Chromium did not answer")
            self._unread += piece
        message, _, self._unread = self._unread.partition(b"\0")
        return json.loads(message)


class Page:
    """A tab, and all that happened in it."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a DevTools method on this page."""
        return self._browser.call(method, self._session, **parameters)

    def open(self, address: str) -> None:
        """Go there and wait until everything is loaded."""
        self.call("Page.navigate", url=address)
        self.wait_until(lambda: self.happened("Page.loadEventFired"))

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait for events until a condition on what has happened holds."""
        while not condition():
            self._browser.events.append(self._browser.read())

    def happened(self, method: str) -> list[dict[str, Any]]:
        """Parameters of each event of this name so far."""
        return [
            event["params"]
            for event in self._browser.events
            if event.get("method") == method and event.get("sessionId") == self._session
        ]

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def settle(self) -> None:
        """Wait until the page has been drawn anew."""
        self.evaluate("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")

    def work_ms(self, *parts: str) -> float:
        """Processor time that the page has taken so far; a busy machine adds nothing to it.

        Args:
            parts: Task (all of it, without any), Script, Layout, RecalcStyle.
        """
        metrics = self.call("Performance.getMetrics")["metrics"]
        wanted = {f"{part}Duration" for part in parts or ("Task",)}
        return 1000 * sum(m["value"] for m in metrics if m["name"] in wanted)

    def press(self, key: str, *, code: int = 0) -> None:
        """Press and release a key, as a person would."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        named = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **named, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **named)

    def type(self, text: str) -> None:
        """Type a text where the focus is."""
        for character in text:
            self.press(character)

    def click(self, selector: str) -> None:
        """Click in the middle of the first element that matches."""
        middle = self.evaluate(
            f"""(() => {{ const e = document.querySelector({json.dumps(selector)});
            e.scrollIntoView({{block: "center"}}); const r = e.getBoundingClientRect();
            return {{x: r.x + r.width / 2, y: r.y + r.height / 2}}; }})()"""
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **middle)

    def media(self, *, dark: bool, medium: str = "") -> None:
        """Pretend that the system is light or dark, or that the page is printed."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=medium, features=[scheme])

    def screenshot(self, file: Path) -> None:
        """Write what is seen, as WebP or PNG after the file's name."""
        kind = {"format": "webp", "quality": 80} if file.suffix == ".webp" else {"format": "png"}
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", **kind)["data"]))
