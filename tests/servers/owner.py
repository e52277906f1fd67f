"""A process that owns private servers, for tests that end it: prints where they are and waits."""

import json
import os
import sys
import time

from pitstop.servers import private_servers


def main(*arguments: str) -> None:
    directory = arguments[0] if arguments and arguments[0] != "-" else None
    with private_servers(directory) as servers:
        child = os.fork() if "fork" in arguments else None
        if child != 0:
            addresses = {
                "directory": str(servers.directory),
                "database_url": servers.sync_database_url,
                "redis_url": servers.redis_url,
                "child": child,
            }
            print(json.dumps(addresses), flush=True)
        if "leave" in arguments:
            return
        time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
