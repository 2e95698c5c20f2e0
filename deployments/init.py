"""Prepares a cluster for its first run, idempotently: creates the bucket, then registers everything with the server."""

from deployments.command import command
from deployments.register import register
from tuner.errors import InputError
from tuner.settings import settings


def bucket() -> None:
    """Creates the store's bucket if it does not exist; a store in a folder needs none.

    Raises:
        InputError: If the bucket can be neither found nor created.
    """
    store = settings().store
    if not store.startswith("s3://"):
        return
    from botocore.exceptions import BotoCoreError, ClientError

    from tuner.artifacts import s3

    name = store.removeprefix("s3://").split("/")[0]
    files = s3.filesystem(patient=True)
    try:
        try:
            files.info(name)
        except FileNotFoundError:
            files.mkdir(name)
    except (OSError, BotoCoreError, ClientError) as error:
        raise InputError(f"TUNER_STORE={store}: the bucket {name} can be neither found nor created ({error})") from None


if __name__ == "__main__":
    command(bucket, register)
