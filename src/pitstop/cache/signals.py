"""Signals from the coherence thread to whoever waits for them, in any thread or event loop."""

import threading
from concurrent.futures import Future

__all__ = ["Acknowledgements", "Signals", "complete"]


class Signals:
    """Futures by name; ``send`` completes all that wait for the name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Future[None]]] = {}

    def expect(self, name: str) -> "Future[None]":
        """A future for the next signal of this name. Call it before what may cause the signal."""
        future: Future[None] = Future()
        with self._lock:
            self._waiting.setdefault(name, []).append(future)
        return future

    def forget(self, name: str, future: "Future[None]") -> None:
        """Expect it no longer; harmless if the signal came."""
        with self._lock:
            waiting = self._waiting.get(name, [])
            if future in waiting:
                waiting.remove(future)
            if not waiting:
                self._waiting.pop(name, None)

    def send(self, name: str) -> None:
        """Wake those who wait for this name."""
        with self._lock:
            woken = self._waiting.pop(name, [])
        for future in woken:
            complete(future)

    def send_all(self) -> None:
        """Wake everybody: signals may have been lost."""
        with self._lock:
            names = list(self._waiting)
        for name in names:
            self.send(name)


class Acknowledgements:
    """Who has acknowledged one announcement; ``done`` completes when all of them have."""

    def __init__(self) -> None:
        self.done: Future[None] = Future()
        self._lock = threading.Lock()
        self._heard: set[bytes] = set()
        self._expected: dict[bytes, bytes] | None = None

    def hear(self, holder: bytes) -> None:
        """A holder acknowledges; it may be sooner than the writer knows of it."""
        with self._lock:
            self._heard.add(holder)
        self._judge()

    def expect(self, holders: dict[bytes, bytes]) -> None:
        """These holders are to acknowledge."""
        with self._lock:
            self._expected = holders
        self._judge()

    def silent(self) -> dict[bytes, bytes]:
        """Those who have not acknowledged, with the stamp of their last renewal."""
        with self._lock:
            expected = self._expected or {}
            return {each: stamp for each, stamp in expected.items() if each not in self._heard}

    def _judge(self) -> None:
        with self._lock:
            everybody = self._expected is not None and self._heard.issuperset(self._expected)
        if everybody:
            complete(self.done)


def complete(future: "Future[None]", error: Exception | None = None) -> None:
    """Complete a future, or fail it; nothing if who waited for it has gone."""
    if future.done() or not future.set_running_or_notify_cancel():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
