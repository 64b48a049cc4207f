"""Names of encoders on the Hugging Face Hub: whether they can be had, and what was meant by a wrong one."""

from __future__ import annotations

import difflib
import functools
import time
from pathlib import Path

from huggingface_hub import constants, get_session, snapshot_download

from paralign.errors import UserError
from paralign.models import shipped_names

__all__ = ["cached_snapshot", "hub_is_reachable", "similar_models", "unavailable"]

_TIMEOUT = 5.0
"""Seconds to wait for an answer of the Hub. transformers tries again for half a minute."""
_VALID = 60
"""Seconds for which an answer is valid."""


def hub_is_reachable() -> bool:
    """Return whether the Hub answers, whatever it answers; False if it is switched off (``HF_HUB_OFFLINE``)."""
    return _answers(int(time.monotonic() // _VALID))


@functools.lru_cache(maxsize=1)
def _answers(period: int) -> bool:
    try:
        get_session().head(constants.ENDPOINT, timeout=_TIMEOUT)
    except Exception:  # each version of huggingface_hub has its own HTTP library
        return False
    return True


def cached_snapshot(name: str) -> Path | None:
    """Return the folder of a model in the cache of the Hub; None if it was never downloaded.

    Args:
        name: the name on the Hub.
    """
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (OSError, ValueError):  # not in the cache; not a name of the Hub
        return None


def similar_models(name: str) -> list[str]:
    """Return names of models on this machine that are similar to a name: included ones, the cache, and folders here.

    Args:
        name: a name that could not be found.
    """
    cached = [
        path.name.removeprefix("models--").replace("--", "/") for path in Path(constants.HF_HUB_CACHE).glob("models--*")
    ]
    here = [path.parent.as_posix() for pattern in ("*/config.json", "*/*/config.json") for path in Path().glob(pattern)]
    names = {candidate: candidate for candidate in (*shipped_names(), *cached, *here)}
    names |= {candidate.rpartition("/")[2]: candidate for candidate in cached}
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    return list(dict.fromkeys(names[match] for match in close))


def unavailable(name: str, reason: str) -> UserError:
    """Return the error for a name that is no folder and cannot be loaded from the Hub.

    Args:
        name: the name.
        reason: why not.
    """
    similar = similar_models(name)
    hint = f"did you mean {' or '.join(map(repr, similar))}?" if similar else "give a folder, or a name on the Hub"
    return UserError(reason, where=name, hint=hint)
