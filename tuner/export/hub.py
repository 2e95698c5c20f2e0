"""A dataset on the Hugging Face hub as the place of an export."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from httpx2 import HTTPError
from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError

from tuner.errors import InputError
from tuner.export.dataset import occupied


class Hub:
    """A dataset's repository.

    Args:
        url: `hf://datasets/owner/name`.
        endpoint: The hub's address; by default that of `HF_ENDPOINT`.

    Raises:
        InputError: If the URL is another, or no token is set.
    """

    def __init__(self, url: str, endpoint: str | None = None) -> None:
        found = re.fullmatch(r"hf://datasets/([\w.-]+/[\w.-]+)/?", url)
        if found is None:
            raise InputError(f"--to {url}: write it as hf://datasets/owner/name")
        if not get_token():
            raise InputError(f"--to {url}: the hub wants a token; log in with `hf auth login`, or set HF_TOKEN")
        self.name = found[1]
        self.url = f"hf://datasets/{self.name}"
        self._api = HfApi(endpoint=endpoint)

    def claim(self) -> None:
        """Makes the repository, private, unless it is there.

        Raises:
            InputError: If it holds anything, or the hub refuses.
        """
        with self._explained():
            self._api.create_repo(self.name, repo_type="dataset", private=True, exist_ok=True)
            files = set(self._api.list_repo_files(self.name, repo_type="dataset"))
        if files - {".gitattributes"}:  # the hub makes that one
            raise occupied(self.url)

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
                    "somebody who may write there"
                ) from None
            reason = error.server_message or error
            raise InputError(f"--to {self.url}: the hub refused ({status}): {reason}") from None
        except (HTTPError, OSError) as error:
            raise InputError(f"--to {self.url}: the hub is not reachable ({error}); check HF_ENDPOINT") from None
