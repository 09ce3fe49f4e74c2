"""How often a request is made again, and for how long, when a place does not answer."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

from attrs import field, frozen

from kelarec.errors import ObjectExistsError, ObjectNotFoundError, UnreachableError
from kelarec.storage.wrapping import Randomness

_R = TypeVar("_R")
_FRACTIONS = 2**32


def never_settled() -> bool:
    """Say that no attempt without an answer did anything that counts."""
    return False


@frozen
class Retries:
    """Bounded attempts with growing waits, of which chance takes up to half, so that many clients do not come at once.

    Attributes:
        attempts: At most so many requests for one answer.
        first_wait: Seconds before the second attempt; each further wait is twice as long.
        longest_wait: Seconds.
        within: Seconds from the first attempt after which none is begun any more; an attempt in flight still ends by
            its own time-out.
        randomness: Gives so many random bytes.
        sleep: Waits so many seconds.
        ticks: Gives seconds on a clock that only goes forward.
    """

    attempts: int = 6
    first_wait: float = 0.2
    longest_wait: float = 5.0
    within: float = 60.0
    randomness: Randomness = field(default=os.urandom, repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    ticks: Callable[[], float] = field(default=time.monotonic, repr=False)

    def run(self, request: Callable[[], _R], *, is_settled: Callable[[], bool] = never_settled) -> _R | None:
        """Make a request until it is answered; return its answer, or None if an earlier attempt had done it.

        Args:
            request: Raises `UnreachableError` if no answer came; every other error is an answer.
            is_settled: Asked after an attempt without an answer: did that one do it, and only its reply was lost?

        Raises:
            UnreachableError: No attempt was answered.
        """
        begun_at = self.ticks()
        for attempt in range(self.attempts):
            try:
                if attempt and is_settled():
                    return None
                return request()
            except UnreachableError:
                wait = self._wait_after(attempt)
                is_over = self.ticks() + wait - begun_at > self.within
                if attempt + 1 == self.attempts or is_over:
                    raise
                self.sleep(wait)
            except ObjectExistsError:
                # It may be what an earlier attempt did after all, also one that a client library made unasked.
                if is_settled():
                    return None
                raise
            except ObjectNotFoundError:
                if attempt and is_settled():
                    return None
                raise
        raise AssertionError("At least one attempt is made.")

    def _wait_after(self, attempt: int) -> float:
        longest = min(self.longest_wait, self.first_wait * 2.0**attempt)
        return longest * (1 + int.from_bytes(self.randomness(4)) / _FRACTIONS) / 2
