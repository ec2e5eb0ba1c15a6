import hashlib

import pytest

from components.fingerprints import labels_fingerprint

pytestmark = pytest.mark.one_line


def test_that_of_labels_knows_pictures_and_labels_whatever_their_order():
    rows = [("b", "dog"), ("a", "cat")]
    assert labels_fingerprint(rows) == hashlib.sha256(b"a cat\nb dog\n").hexdigest()
    assert labels_fingerprint(rows[::-1]) == labels_fingerprint(rows)
    assert labels_fingerprint([("b", "dog"), ("a", "dog")]) != labels_fingerprint(rows)
