"""A temporary Prefect server, which `tuner run` starts if there is no other; it ends with the process that started it.

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
    """A server on 127.0.0.1 that lives as long as this process, and starts in the background.

    Create it before Prefect is imported: exit handlers run in reverse order, so Prefect sends its last messages first.

    Args:
        log: The server's log file.

    Attributes:
        url: The URL of its API.
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
                # As for Prefect's own temporary server: no UI, and no services that look for work.
                env={**os.environ, "PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"},
            )
        atexit.register(self._end)

    def wait(self) -> None:
        """Waits until the server answers.

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
