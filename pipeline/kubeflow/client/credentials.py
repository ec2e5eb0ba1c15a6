"""Where Kubeflow Pipelines is, and the token that opens it, which no command line ever holds."""

import functools
import os
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from components.errors import UserError

# kfp's own names of the variables and of the file that a cluster mounts.
HOST_VARIABLE = "KF_PIPELINES_ENDPOINT"
TOKEN_VARIABLE = "KFP_TOKEN"  # noqa: S105
_MOUNTED_TOKEN_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105
_MOUNTED_TOKEN = "/var/run/secrets/kubeflow/pipelines/token"  # noqa: S105
_MOUNTED_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_HOST_IN_CLUSTER = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"

Token = Callable[[], str]


def find_host(host: str | None) -> str:
    """Finds the address of Kubeflow Pipelines.

    Args:
        host: what the user gave; None: the variable `KF_PIPELINES_ENDPOINT`, or inside a cluster
            the service of a standard installation.

    Returns:
        An http or https URL without a slash at its end.

    Raises:
        UserError: none was given, or it is no address.
    """
    where = "--host" if host else HOST_VARIABLE
    url = host or os.environ.get(HOST_VARIABLE)
    if not url and "KUBERNETES_SERVICE_HOST" in os.environ:
        return _HOST_IN_CLUSTER
    if not url:
        raise UserError(
            f"--host: where is Kubeflow Pipelines? Give its address here or in {HOST_VARIABLE}, "
            "as http://localhost:8888 after `kubectl -n kubeflow port-forward svc/ml-pipeline 8888`"
        )
    parts = urllib.parse.urlsplit(url)
    if parts.username or parts.password:  # and so the address is not repeated here
        raise UserError(f"{where}: an address without user and password; see --token-file")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"{where} {url}: write an address that begins with http:// or https://")
    if parts.query or parts.fragment:
        right = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        raise UserError(f"{where} {url}: leave out what follows {right}")
    return url.rstrip("/")


def find_token(token_file: Path | None) -> Token | None:
    """Finds the bearer token.

    Args:
        token_file: what the user gave; None: the variable `KFP_TOKEN`, or the token of the service
            account that a cluster mounts for Kubeflow Pipelines.

    Returns:
        A function that gives the token: a file is read again for every request, because kubelets
        and logins renew it in place. None: there is no token.

    Raises:
        UserError: the token cannot be read, or is none.
    """
    if token_file is None and (token := os.environ.get(TOKEN_VARIABLE)):
        token = _checked(token, TOKEN_VARIABLE)
        return lambda: token
    if token_file is None:
        token_file = Path(os.environ.get(_MOUNTED_TOKEN_VARIABLE) or _MOUNTED_TOKEN)
        if not token_file.exists():
            return None
    read = functools.partial(_read_token, token_file)
    read()
    return read


def _read_token(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise UserError(f"token file {path}: {why}") from None
    return _checked(text, f"token file {path}")


def _checked(text: str, where: str) -> str:
    """Refuses here what http.client would refuse with the token in its message."""
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        found = "is empty" if not token else "holds more than one word of plain letters"
        raise UserError(f"{where} {found}: it must hold the token and nothing else")
    return token


def crosses_network_in_clear(host: str) -> bool:
    """Whether what is sent to the host can be read on the way: http to another machine."""
    parts = urllib.parse.urlsplit(host)
    name = parts.hostname or ""
    nearby = name in ("localhost", "::1") or re.fullmatch(r"127(\.\d+)+", name) is not None
    in_cluster = name.endswith((".svc", ".svc.cluster.local")) or not {".", ":"} & set(name)
    return parts.scheme == "http" and not nearby and not in_cluster


def mounted_namespace() -> str | None:
    """The namespace of the pod that this is, if it is one."""
    try:
        return _MOUNTED_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        return None
