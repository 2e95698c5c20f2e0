"""A dataset on the Hugging Face hub as the target of an export."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from httpx2 import HTTPError
from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError

from tuner.errors import InputError
from tuner.export.dataset import not_empty_error


class Hub:
    """The repository of a dataset.

    Args:
        url: `hf://datasets/owner/name`.
        endpoint: The hub's address; by default that of `HF_ENDPOINT`.

    Raises:
        InputError: If the URL has another form, or no token is set.
    """

    def __init__(self, url: str, endpoint: str | None = None) -> None:
        match = re.fullmatch(r"hf://datasets/([\w.-]+/[\w.-]+)/?", url)
        if match is None:
            raise InputError(f"--to {url}: write it as hf://datasets/owner/name")
        if not get_token():
            raise InputError(f"--to {url}: the hub needs a token; log in with `hf auth login`, or set HF_TOKEN")
        self.name = match[1]
        self.url = f"hf://datasets/{self.name}"
        self._api = HfApi(endpoint=endpoint)

    def claim(self) -> None:
        """Creates the repository, as a private one, unless it exists.

        Raises:
            InputError: If it is not empty, or the hub refuses.
        """
        with self._explained():
            self._api.create_repo(self.name, repo_type="dataset", private=True, exist_ok=True)
            files = set(self._api.list_repo_files(self.name, repo_type="dataset"))
        if files - {".gitattributes"}:  # created by the hub
            raise not_empty_error(self.url)

    def put(self, folder: Path, run: str) -> None:
        """Uploads a folder in one commit."""
        with self._explained():
            self._api.upload_folder(
                repo_id=self.name,
                folder_path=folder,
                repo_type="dataset",
                commit_message=f"Export of {run}",
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status in (401, 403):
                raise InputError(
                    f"--to {self.url}: the hub refused the token for it ({status}); log in with `hf auth login` as "
                    "a user who may write to it"
                ) from None
            reason = error.server_message or error
            raise InputError(f"--to {self.url}: the hub refused ({status}): {reason}") from None
        except (HTTPError, OSError) as error:
            raise InputError(f"--to {self.url}: the hub is not reachable ({error}); check HF_ENDPOINT") from None
