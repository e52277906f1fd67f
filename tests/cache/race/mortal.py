"""A process of a race whose children commit and are killed on the way, by themselves and without a word."""

import json
import os
import signal
import sys
import time
import traceback
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session, configure_mappers

from pitstop.cache.cache import Cache
from pitstop.postgres.address import psycopg_url
from tests.cache.race.counters import Counter

_HOOKS = {"fenced": "before_commit", "committed": "after_commit"}


def commit_and_die(orders: dict[str, Any], row: int, version: int, at: str, pause: float = 0.0) -> None:
    """Commit a version of a row and be killed: ``fenced`` before COMMIT, ``committed`` before it is told.

    ``pause`` seconds lie between fence and COMMIT.
    """
    cache = Cache(orders["redis_url"], **orders["cache"])
    cache.invalidate_on_commit(Counter, tags=lambda counter: [f"counter:{counter.id}"])

    def die(session: Session) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if pause:
        event.listen(Session, "before_commit", lambda session: time.sleep(pause))
    # after the cache has fenced, or before it hears of the commit
    event.listen(Session, _HOOKS[at], die, insert=at == "committed")
    engine = create_engine(psycopg_url(orders["database_url"]), isolation_level=orders["isolation"])
    with Session(engine) as session:
        session.get_one(Counter, row).version = version
        session.commit()


def killed(orders: dict[str, Any], order: dict[str, Any]) -> dict[str, Any]:
    """Have a child do it; how it ended."""
    child = os.fork()
    if not child:
        try:
            commit_and_die(orders, **order)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    _, status = os.waitpid(child, 0)
    return {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}


def serve() -> None:
    """Take orders until there are no more; this process itself has no thread and no connection."""
    orders = json.loads(sys.stdin.readline())
    # what every child would do anew
    configure_mappers()
    create_engine(psycopg_url(orders["database_url"])).dispose()
    for line in sys.stdin:
        print(json.dumps(killed(orders, json.loads(line))), flush=True)


if __name__ == "__main__":
    serve()
