"""Which names tell of a secret: one list for packages' environments and Beam's options."""

import pytest

from pipeline.beam_config import BeamSettings
from pipeline.secret_words import is_secret


@pytest.mark.parametrize(
    "name",
    [
        "DB_PASSWORD",
        "db-passwd",
        "CLIENT_SECRET",
        "s3_secret_access_key",
        "AWS_ACCESS_KEY_ID",
        "HF_TOKEN",
        "s3_session_token",
        "OPENAI_APIKEY",
        "azure.connection.string",
        "STORAGE_KEY",
        "KEY",
    ],
)
def test_names_of_secrets(name):
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "TOKENIZERS_PARALLELISM",
        "TOKEN_FILE",
        "SECRETS_PATH",
        "KEYS",
        "MAX_TOKENS",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "dataflow_kms_key",
        "OMP_NUM_THREADS",
    ],
)
def test_names_that_only_sound_like_it(name):
    assert not is_secret(name)


@pytest.mark.parametrize("option", ["--azure_connection_string=x", "--my-passwd=x", "--api_key=x"])
def test_beam_is_given_none(option):
    with pytest.raises(ValueError, match="would put a secret into packages and logs"):
        BeamSettings(extra=(option,))
