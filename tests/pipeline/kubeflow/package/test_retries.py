"""Retries, in the arithmetic of the workflow engine."""

import pytest

from pipeline.kubeflow.package.retries import RetryPolicy

POLICY = {
    "maxRetryCount": 3,
    "backoffDuration": "60s",
    "backoffFactor": 2.0,
    "backoffMaxDuration": "2592000s",
}


def waits(policy, seconds_per_attempt=10.0):
    """Waits before the retries of a step that always fails."""
    retry, attempts, elapsed, found = RetryPolicy.of_task({"retryPolicy": policy}), 0, 0.0, []
    while True:
        attempts, elapsed = attempts + 1, elapsed + seconds_per_attempt
        wait = retry.wait_s(attempts, elapsed)
        if wait is None:
            return found
        found.append(wait)
        elapsed += wait


def test_every_wait_is_longer_by_the_factor():
    assert waits(POLICY) == [60, 120, 240]
    assert waits({**POLICY, "backoffFactor": 0.0}) == [60, 60, 60]
    assert waits({key: POLICY[key] for key in POLICY if key != "backoffFactor"}) == [60, 60, 60]
    assert waits({**POLICY, "backoffFactor": 0.5}) == [60, 30, 15]
    assert waits({key: POLICY[key] for key in POLICY if key != "backoffDuration"}) == [0, 0, 0]
    assert waits({**POLICY, "backoffDuration": "60.9s"}) == [60, 120, 240], "whole seconds"


def test_a_step_without_a_policy_is_not_retried():
    assert RetryPolicy.of_task({}).wait_s(1, 1.0) is None


def test_without_a_longest_time_nothing_is_ever_retried():
    """Kubeflow Pipelines from 2.14 on writes 0 for it, which Argo takes for a deadline."""
    policy = {key: value for key, value in POLICY.items() if key != "backoffMaxDuration"}
    assert waits(policy) == []


@pytest.mark.parametrize(("longest", "expected"), [("200s", [60, 120]), ("199s", [60])])
def test_the_longest_time_counts_from_the_first_start(longest, expected):
    """Ends of the attempts: 10, 80 and 210 s after it; starts of the retries: 70 and 200."""
    assert waits({**POLICY, "backoffMaxDuration": longest}) == expected


def test_a_long_attempt_uses_the_time_up():
    assert waits({**POLICY, "backoffMaxDuration": "3600s"}, seconds_per_attempt=3600.0) == []
