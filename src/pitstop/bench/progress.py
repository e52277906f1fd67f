"""How a run tells what it is doing: one frozen record to one callable."""

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Moment", "Progress", "Reporter"]


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a run is.

    Attributes:
        doing: in a few words, e.g. ``"throughput: tuned, 2 of 3"``.
        fraction: of the whole run, 0 to 1; the preparation is 0.
        left_s: estimated seconds to the end, None during the preparation.
        fresh: whether this is the first moment of what ``doing`` names.
        requests_per_s: of the generator right now, None when nothing is sent.
        errors: so far in this window.
    """

    doing: str
    fraction: float
    left_s: float | None = None
    fresh: bool = False
    requests_per_s: float | None = None
    errors: int = 0


Progress = Callable[[Moment], None]


class Reporter:
    """Keeps count of the windows of a run and hands moments on.

    Args:
        progress: who wants to know; None for nobody.
        windows: how many there will be.
        window_s: how long each takes, warm-up included.
    """

    def __init__(self, progress: Progress | None, *, windows: int, window_s: float) -> None:
        self._progress = progress
        self._windows = windows
        self._window_s = window_s
        self._ended = 0
        self._doing = ""

    def prepare(self, doing: str) -> None:
        """A step of the preparation begins."""
        self._tell(Moment(doing, 0.0, fresh=True))

    def begin(self, doing: str) -> None:
        """A window begins."""
        self._doing = doing
        self._tell(self._moment(0.0, fresh=True))

    def follow(self, within_s: float, *, requests_per_s: float, errors: int) -> None:
        """So many seconds into the window."""
        self._tell(self._moment(within_s, requests_per_s=requests_per_s, errors=errors))

    def end(self) -> None:
        """The window has ended."""
        self._ended += 1

    def _moment(
        self, within_s: float, *, fresh: bool = False, requests_per_s: float | None = None, errors: int = 0
    ) -> Moment:
        done = self._ended + min(within_s / self._window_s, 1.0)
        left_s = (self._windows - done) * self._window_s
        return Moment(self._doing, done / self._windows, left_s, fresh, requests_per_s, errors)

    def _tell(self, moment: Moment) -> None:
        if self._progress:
            self._progress(moment)
