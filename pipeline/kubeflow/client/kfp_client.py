"""kfp's client, kept from what a command line must not do.

On its own it waits without end for a host that does not answer, asks five times for one that is not
there, follows redirects to login pages and takes these for answers, keeps settings in the home
folder, and ends in tracebacks.
"""

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import kfp
import kfp_server_api
import urllib3

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


class ApiError(ValueError):
    """Kubeflow Pipelines said no; the text is one line for the user."""


class UnavailableError(ApiError):
    """It gave no answer, or one that may be another one in a minute."""


class Client(kfp.Client):
    """kfp's client, with errors in one line and answers in seconds."""

    def __init__(self, host: str, token: Token | None, ca_cert: Path | None):
        """Asks nothing yet.

        Args:
            host: http or https URL.
            token: gives the bearer token.
            ca_cert: PEM file with the authorities that may have signed the host's certificate;
                None: those that everybody trusts.
        """
        self.host, self._token = host, token
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns that it is the client for version 2
            super().__init__(
                host=host,
                existing_token=token() if token else None,
                ssl_ca_cert=str(ca_cert) if ca_cert else None,
            )
        if token:
            self._existing_config.refresh_api_key_hook = self._renew_token
        self.rest = self._run_api.api_client
        pool = self.rest.rest_client.pool_manager
        pool.request = self._within_limits(pool.request)

    def _load_context_setting_or_default(self) -> None:
        self._context_setting = {"namespace": ""}  # instead of the home folder's

    def get_kfp_healthz(self, sleep_duration: int = 0):
        # The constructor would ask here, five times and five seconds apart.
        return kfp_server_api.V2beta1GetHealthzResponse(multi_user=False)

    def _renew_token(self, config: kfp_server_api.Configuration) -> None:
        config.api_key["authorization"] = self._token()

    def _within_limits(self, request: Callable) -> Callable:
        def limited(method: str, url: str, **options):
            limits = {"timeout": _TIMEOUT, "retries": _RETRIES, "redirect": False}
            try:
                return request(method, url, **{**options, **limits})
            except urllib3.exceptions.HTTPError as error:
                error = getattr(error, "reason", None) or error
                sent = isinstance(error, _SENT_BUT_NOT_ANSWERED)
                doubt = "; look there whether it was done all the same" if sent else ""
                raise UnavailableError(
                    f"{self.host} {_why(error)}{doubt if method == 'POST' else ''}"
                ) from error

        return limited

    def explain(self, error: kfp_server_api.ApiException) -> ApiError:
        """What to tell the user about an answer that is none of the 200s."""
        host, status, message = self.host, error.status, _message(error.body)
        if status == 401 or (status == 403 and not self._token):
            if self._token:
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
            return ApiError(f"{host} {NOT_KFP}")
        kind = UnavailableError if status >= 500 or status == 429 else ApiError
        return kind(f"{host} answers {status}{message or f' {error.reason}'}")


NOT_KFP = (
    "answers, but not as Kubeflow Pipelines: is the path complete, as in https://host/pipeline, "
    "and is there a login page before it (see --token-file)?"
)


def _message(body: str | bytes | None) -> str:
    """`: ` and what a body says; nothing if it is a web page or empty."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
    try:
        said = json.loads(text)
        text = said.get("message") or said.get("error") or "" if isinstance(said, dict) else text
    except ValueError:
        pass
    line = " ".join(str(text).split())
    if not line or line.startswith("<"):
        return ""
    return f": {line[:_MAX_MESSAGE]} …" if len(line) > _MAX_MESSAGE else f": {line}"


def _why(error: urllib3.exceptions.HTTPError) -> str:
    """What keeps a host from answering, in a few words."""
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
