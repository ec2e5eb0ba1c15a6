"""Quantities as Kubernetes writes them."""

import pytest

from pipeline.kubeflow.quantities import cores, memory_bytes, seconds


@pytest.mark.parametrize(("text", "number"), [("2", 2), ("0.5", 0.5), ("500m", 0.5), ("1.5", 1.5)])
def test_cores(text, number):
    assert cores(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2Gi", 2 * 1024**3),
        ("1.5Gi", 1.5 * 1024**3),
        ("500M", 5e8),
        ("3000000", 3_000_000),
        ("1M", 10**6),
    ],
)
def test_memory(text, number):
    assert memory_bytes(text) == number


@pytest.mark.parametrize(("text", "number"), [("90s", 90), ("30m", 1800), ("6h", 21_600)])
def test_durations(text, number):
    assert seconds(text) == number


@pytest.mark.parametrize(
    ("parse", "text", "says"),
    [
        (cores, "2Gi", "not a number of cores: 2Gi. Write it as 2, 0.5 or 500m"),
        (cores, "0", "not a number of cores"),
        (cores, "-1", "not a number of cores"),
        (memory_bytes, "2Gii", "not an amount of memory: 2Gii. Write a number and one of k, M, G"),
        (memory_bytes, "2 Gi", "not an amount of memory"),
        (memory_bytes, "2GB", "not an amount of memory"),
        (memory_bytes, "999k", "less memory than anything runs in: 999k"),
        (memory_bytes, "2", "less memory than anything runs in: 2. Write a unit, as 2Gi"),
        (seconds, "6", "not a duration: 6. Write it as 90s, 30m or 6h"),
        (seconds, "0s", "not a duration"),
        (seconds, "1d", "not a duration"),
    ],
)
def test_what_is_none_is_told_with_what_would_be_right(parse, text, says):
    with pytest.raises(ValueError) as error:
        parse(text)
    assert says in str(error.value)
