"""Files of a Hugging Face repository at one commit.

The hub's own client says what a repository holds and where; the files come through
:mod:`~stages.recommender.corpora.fetching`, since the client begins a killed download anew.
``HF_ENDPOINT`` names a mirror and ``HF_TOKEN`` a token, as everywhere with that client.
"""

import os
from json import JSONDecodeError
from pathlib import Path
from typing import Literal

from stages.recommender.corpora.fetching import DOWNLOADS, WITHOUT_NETWORK, fetch
from stages.recommender.corpora.patience import PATIENCE, PassingTroubleError, Patience, persist
from stages.recommender.errors import UserError
from stages.recommender.params import Hub

Kind = Literal["model", "dataset"]


def dataset_files(hub: Hub, setting: str, patience: Patience = PATIENCE) -> dict[str, str | None]:
    """What a repository of a dataset holds.

    Args:
        hub: The repository and its commit.
        setting: The section of ``params.yaml`` that names it.
        patience: How long to bear with the host.

    Returns:
        The path of every file, with its SHA-256 where the hub tells it (of large files).

    Raises:
        UserError: There is no such repository or commit, or the hub is not reached.
    """
    try:
        return persist(lambda: _list_files(hub, setting, patience), patience)
    except PassingTroubleError as trouble:
        remedy = WITHOUT_NETWORK if trouble.unreachable else "run the same command later"
        raise UserError(
            f"{_endpoint()} {trouble}, so {hub.repository} cannot be listed; {remedy}"
        ) from None


def hub_file(
    hub: Hub,
    kind: Kind,
    file_name: str,
    setting: str,
    sha256: str | None,
    sha256_setting: str,
    *,
    cache: Path = DOWNLOADS,
    patience: Patience = PATIENCE,
) -> Path:
    """Bring one file of a repository here.

    Args:
        hub: The repository and its commit.
        kind: What it is a repository of.
        file_name: Its path in the repository.
        setting: The section of ``params.yaml`` that names the repository.
        sha256: What it must have; ``None``: not checked.
        sha256_setting: The key of ``params.yaml`` that gives the checksum, to name it.
        cache: Where downloads are kept.
        patience: How long to bear with the host.

    Returns:
        The file, in the cache.

    Raises:
        UserError: There is no such file, the hub is not reached, or the checksum is wrong.
    """
    from huggingface_hub import get_token, hf_hub_url

    url = hf_hub_url(
        hub.repository,
        file_name,
        repo_type=kind,
        revision=hub.revision,
        endpoint=_endpoint(),
    )
    return fetch(
        url, setting, sha256, sha256_setting, token=get_token(), cache=cache, patience=patience
    )


def _endpoint() -> str:
    """The host to ask, read at each call and not only when the client is imported."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def _list_files(hub: Hub, setting: str, patience: Patience) -> dict[str, str | None]:
    from httpx2 import ConnectError, ConnectTimeout, HTTPError, ProxyError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        found = HfApi(endpoint=_endpoint()).dataset_info(
            hub.repository,
            revision=hub.revision,
            files_metadata=True,
            timeout=patience.timeout,
        )
    except RevisionNotFoundError:
        raise UserError(
            f"{_endpoint()} has no commit {hub.revision} of {hub.repository}; "
            f"mend {setting}.revision"
        ) from None
    except (RepositoryNotFoundError, HFValidationError):
        raise UserError(
            f"{_endpoint()} shows no dataset {hub.repository}; mend {setting}.repository, or set "
            "HF_TOKEN if it is private"
        ) from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status == 429 or status >= 500:
            raise PassingTroubleError(f"answered HTTP {status}") from None
        raise UserError(
            f"{_endpoint()} answered HTTP {status} for {hub.repository}; mend {setting}"
        ) from None
    except OfflineModeIsEnabled:
        raise UserError(
            f"HF_HUB_OFFLINE forbids to ask {_endpoint()} for {hub.repository}; unset it; "
            f"{WITHOUT_NETWORK}"
        ) from None
    except (HTTPError, JSONDecodeError) as error:
        unreachable = isinstance(error, ConnectError | ConnectTimeout | ProxyError)
        what = "could not be reached" if unreachable else "gave no whole answer"
        raise PassingTroubleError(what, unreachable=unreachable) from None
    return {file.rfilename: file.lfs.sha256 if file.lfs else None for file in found.siblings or []}
