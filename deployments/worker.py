"""What a worker's container runs: makes the bucket and registers pool and deployments, then works."""

import os
import sys

import s3fs

from deployments.local import register, worker_command
from tuner import launch
from tuner.settings import settings


def main() -> None:
    """Prepares what a first start lacks and becomes the worker."""
    launch.environment()
    store = settings().store
    if store.startswith("s3://"):
        bucket = store.removeprefix("s3://").split("/")[0]
        files = s3fs.S3FileSystem()
        if not files.exists(bucket):
            files.mkdir(bucket)
    register(sys.executable)
    command = worker_command([sys.executable, "-m", "prefect"])
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
