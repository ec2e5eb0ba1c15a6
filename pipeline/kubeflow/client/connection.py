"""Requests to Kubeflow Pipelines: answers in seconds, and every failure as one line.

`kfp_server_api` is generated from the API's definition; its `ApiClient` does HTTP, tokens and JSON.
Requests go through `call_api` because the methods above it are named differently by the two
versions that Graft runs with (`create_run` in 2.0, `run_service_create_run` in 2.17). `kfp.Client`
is no help here: it waits without end for a host that does not answer, asks five times for one that
is not there, follows redirects to login pages and takes these for answers, and reads settings in
the home folder.
"""

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import kfp_server_api
import urllib3

from components.text import one_line
from pipeline.kubeflow.client.credentials import Token

# Seconds. Creating a run takes the server a while: it compiles the package.
_TIMEOUT = urllib3.Timeout(connect=5, read=60)
# What only reads is asked again while the server or the proxy before it restarts.
_RETRIES = urllib3.Retry(
    total=3,
    connect=0,
    read=0,
    other=0,
    status_forcelist=(502, 503, 504),
    allowed_methods=("GET",),
    backoff_factor=0.5,
    raise_on_status=False,
    respect_retry_after_header=False,
)
_SENT_BUT_NOT_ANSWERED = (urllib3.exceptions.ReadTimeoutError, urllib3.exceptions.ProtocolError)
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")  # as OpenSSL up to 3.1 and later say
_MAX_MESSAGE = 400
_FILE_FIELD = "uploadfile"
_TOKEN_KEY = "authorization"  # noqa: S105 (where kfp_server_api looks for it)


class ApiError(ConnectionError):
    """Kubeflow Pipelines refused a request or did not answer it; one line for the user."""


class UnavailableError(ApiError):
    """There was no answer, or one that may be another one in a minute."""


class NotKfpError(ApiError):
    """What answers at the host is not Kubeflow Pipelines."""

    def __init__(self, host: str):
        super().__init__(
            f"{host} answers, but not as Kubeflow Pipelines: is the path complete, as in "
            "https://host/pipeline, and is there a login page before it (see --token-file)?"
        )


class Connection:
    """Sends requests to one host.

    Attributes:
        host: http or https URL.
    """

    def __init__(self, host: str, token: Token | None, ca_cert: Path | None):
        """Prepares the client; the first request opens the connection.

        Args:
            host: http or https URL.
            token: returns the bearer token; called before every request.
            ca_cert: PEM file with the authorities that may have signed the host's certificate;
                None: those that certifi lists.
        """
        self.host, self._has_token = host, token is not None
        config = kfp_server_api.Configuration(host=host)
        config.ssl_ca_cert = str(ca_cert) if ca_cert else None
        if token:
            config.api_key_prefix[_TOKEN_KEY] = "Bearer"
            config.api_key[_TOKEN_KEY] = token()
            config.refresh_api_key_hook = lambda renewed: renewed.api_key.update(
                {_TOKEN_KEY: token()}
            )
        self._client = kfp_server_api.ApiClient(config)
        # kfp_server_api hands its pool no retries and cannot switch redirects off.
        pool = self._client.rest_client.pool_manager
        self._send = pool.request
        pool.request = self._send_within_limits

    def request(
        self,
        method: str,
        path: str,
        *,
        answer: str = "object",
        query: dict[str, Any] | None = None,
        body: Any = None,
        file: tuple[str, str] | None = None,
    ) -> Any:
        """Sends a request and reads its answer.

        Args:
            method: GET, POST or DELETE.
            path: of the URL, below the host's.
            answer: name of the class of `kfp_server_api` to read it into; `object`: plain JSON.
            query: of the URL; None values are left out.
            body: JSON, or an object of `kfp_server_api`.
            file: name and text of a file to upload instead of a body.

        Raises:
            ApiError: the host cannot be reached or refuses the request.
            NotKfpError: the answer is not JSON, or not that of the API.
        """
        options: dict[str, Any] = {"response_type": "object"}
        with tempfile.TemporaryDirectory() if file else contextlib.nullcontext() as folder:
            if file:  # the generated client uploads what is on the disk
                name, text = file
                Path(folder, name).write_text(text, encoding="utf-8")
                options |= {"files": {_FILE_FIELD: str(Path(folder, name))}, "post_params": []}
            plain = self._call(method, path, query, body, **options)
        if not isinstance(plain, dict):
            raise NotKfpError(self.host)
        if answer == "object":
            return plain
        try:
            return self._client.deserialize(self._client.last_response, answer)
        except (ValueError, kfp_server_api.ApiException) as error:
            raise NotKfpError(self.host) from error

    def stream(self, path: str, query: dict[str, Any] | None = None) -> urllib3.HTTPResponse:
        """Sends a GET request and returns the answer unread.

        Raises:
            ApiError: the host cannot be reached or refuses the request.
        """
        return self._call("GET", path, query, None, _preload_content=False)

    def _call(self, method: str, path: str, query: dict | None, body: Any, **options) -> Any:
        kind = "multipart/form-data" if "files" in options else "application/json"
        given = [(name, value) for name, value in (query or {}).items() if value is not None]
        try:
            return self._client.call_api(
                path,
                method,
                query_params=given,
                header_params={"Accept": "application/json", "Content-Type": kind},
                body=body,
                auth_settings=["Bearer"],
                _return_http_data_only=True,
                **options,
            )
        except kfp_server_api.ApiException as error:
            raise self._explain(error) from error

    def _send_within_limits(self, method: str, url: str, **options) -> urllib3.HTTPResponse:
        limits = {"timeout": _TIMEOUT, "retries": _RETRIES, "redirect": False}
        try:
            return self._send(method, url, **{**options, **limits})
        except urllib3.exceptions.HTTPError as error:
            error = getattr(error, "reason", None) or error
            sent = isinstance(error, _SENT_BUT_NOT_ANSWERED)
            doubt = "; look there whether it was done all the same" if sent else ""
            raise UnavailableError(
                f"{self.host} {_unreachable(error)}{doubt if method == 'POST' else ''}"
            ) from error

    def _explain(self, error: kfp_server_api.ApiException) -> ApiError:
        """The error to raise for an answer whose status is not one of the 200s."""
        host, status, message = self.host, error.status, _message(error.body)
        if status == 401 or (status == 403 and not self._has_token):
            if self._has_token:
                return ApiError(
                    f"{host} refuses the token ({status}{message}): it has expired, or is for "
                    "another host. Get a new one, see --token-file"
                )
            return ApiError(f"{host} asks for a token ({status}{message}): see --token-file")
        if status == 403:
            return ApiError(f"{host} does not allow this to the token's owner (403{message})")
        if 300 <= status < 400:
            return ApiError(
                f"{host} sends us elsewhere ({status}), to a login page as a rule: it wants a "
                "token, see --token-file, or another address"
            )
        if status == 404 and not message:
            return NotKfpError(host)
        kind = UnavailableError if status >= 500 or status == 429 else ApiError
        return kind(f"{host} answers {status}{message or f' {error.reason}'}")


def _message(body: str | bytes | None) -> str:
    """`: ` and the message in a body; empty for a web page or an empty body."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
    try:
        said = json.loads(text)
        text = said.get("message") or said.get("error") or "" if isinstance(said, dict) else text
    except ValueError:
        pass
    line = one_line(text, _MAX_MESSAGE)
    return f": {line}" if line and not line.startswith("<") else ""


def _unreachable(error: urllib3.exceptions.HTTPError) -> str:
    """The reason why a host does not answer, as the rest of a sentence about it."""
    if isinstance(error, urllib3.exceptions.SSLError):
        if any(sign in str(error) for sign in _NO_TLS):
            return "does not speak https: write http://"
        return f"cannot be trusted ({error}): give its authority's certificate with --ca-cert"
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
        if not isinstance(error, urllib3.exceptions.NewConnectionError):
            return f"cannot be reached: no connection in {_TIMEOUT.connect_timeout:g} seconds"
    elif isinstance(error, urllib3.exceptions.TimeoutError):
        return f"gives no answer: none in {_TIMEOUT.read_timeout:g} seconds"
    cause = error.__cause__ or error.__context__
    detail = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(error)
    return f"cannot be reached: {detail}"
