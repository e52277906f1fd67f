"""The unprivileged account that servers run under when their keeper is root: PostgreSQL refuses root."""

import os
import pwd
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from pitstop.errors import ServerStartFailed

__all__ = ["Account", "server_account"]


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine.

    Attributes:
        name: its name, for messages.
        uid: its user id.
        gid: its group id.
    """

    name: str
    uid: int
    gid: int

    def become(self) -> None:
        """Turn the current process into one of this account, for good."""
        os.setgroups([])
        os.setgid(self.gid)
        os.setuid(self.uid)

    def own(self, directory: Path) -> None:
        """Give a directory and what is in it to this account, unless it has it already."""
        if directory.stat().st_uid == self.uid:
            return
        for each in [directory, *directory.rglob("*")]:
            os.chown(each, self.uid, self.gid, follow_symlinks=False)

    def can_reach(self, paths: Iterable[Path]) -> bool:
        """Whether this account may enter or run all of the paths (asked of the kernel, by trying)."""
        wanted = list(paths)
        return self._try(lambda: all(os.access(path, os.X_OK) for path in wanted))

    def require(self) -> None:
        """Check that this process may become the account.

        Raises:
            ServerStartFailed: it may not (a container without that right).
        """
        if not self._try(lambda: True):
            raise ServerStartFailed(
                f"postgresql refuses to run as root and this process may not switch to user {self.name!r}: "
                "run as an ordinary user, or give the container the rights SETUID and SETGID"
            )

    def _try(self, question: Callable[[], bool]) -> bool:
        child = os.fork()
        if child == 0:
            answer = 1
            try:
                self.become()
                answer = 0 if question() else 1
            except OSError:
                answer = 2
            finally:
                os._exit(answer)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def server_account() -> Account | None:
    """The account for servers: None for an ordinary user, who runs them as himself.

    Raises:
        ServerStartFailed: root, and neither ``postgres`` nor ``nobody`` exists.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise ServerStartFailed(
        "postgresql refuses to run as root and there is neither a user 'postgres' nor 'nobody': "
        "run as an ordinary user, or create one of the two"
    )
