"""The Prefect server of one process alone, which `tuner run` starts where it finds no other; it ends with that process.

    python -m deployments.temporary FD

serves on the listening socket FD.
"""

import atexit
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from deployments.child import PATIENCE_SECONDS, as_child
from deployments.local import answers, end
from deployments.server import serve


class TemporaryServer:
    """A server on 127.0.0.1 that lives as long as this process, and goes on starting while this one does other things.

    Create it before Prefect is imported: what Prefect still has to tell at the end of the process is told first.

    Args:
        log: The file to which it logs.

    Attributes:
        url: Of its API.
    """

    def __init__(self, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as listening, log.open("ab") as file:
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
            self._process = subprocess.Popen(
                as_child(sys.executable, "deployments.temporary", str(listening.fileno())),
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                pass_fds=[listening.fileno()],
                start_new_session=True,
                # As Prefect marks its own temporary server: no UI, and no services that look for work.
                env={**os.environ, "PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"},
            )
        atexit.register(self._end)

    def wait(self) -> None:
        """Waits until it answers.

        Raises:
            StageError: If it does not start.
        """
        answers(self.url, self._process)

    def _end(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE_SECONDS)
        end(self._process)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
