from pipeline.kubeflow.client.connection import ApiError, UnavailableError
from pipeline.kubeflow.client.run_watch import WaitTimeoutError, wait_for


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self):
        self.now, self.slept = 0.0, []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Observer:
    def __init__(self):
        self.seen, self.troubles = [], []

    def update(self, run):
        self.seen.append(run)
        return run == "ended"

    def no_answer(self, why):
        self.troubles.append(why)


def watch(answers, **options):
    answers, observer, clock = iter(answers), Observer(), Clock()

    def get_run():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    options = {"poll_seconds": 5, "sleep": clock.sleep, "clock": clock, **options}
    try:
        return wait_for(get_run, observer, **options), observer, clock
    except (ApiError, WaitTimeoutError) as error:
        return error, observer, clock


def test_it_asks_until_the_run_has_ended():
    result, observer, clock = watch(["a", "b", "ended"])
    assert result == "ended" and observer.seen == ["a", "b", "ended"]
    assert clock.slept == [5, 5]


def test_without_an_answer_it_asks_less_and_less_often_and_then_as_before():
    away = UnavailableError("away")
    result, observer, clock = watch(["a", *[away] * 6, "b", "ended"])
    assert result == "ended" and observer.troubles == ["away"] * 6
    assert clock.slept == [5, 10, 20, 40, 60, 60, 60, 5]
    assert watch([away, "ended"], poll_seconds=120)[2].slept == [120]


def test_it_does_not_ask_for_ever():
    result, _, clock = watch([UnavailableError("away")] * 1000, patience_seconds=610)
    assert str(result) == "away"
    assert clock.now == 670, "after 610 s its patience is just not over"


def test_every_answer_renews_the_patience():
    away = UnavailableError("away")
    answers = [*["running"] * 10, away, away, *["running"] * 10, away, away, "ended"]
    result, _, clock = watch(answers, poll_seconds=60, patience_seconds=300)
    assert result == "ended" and clock.now > 2 * 300


def test_a_refusal_ends_it_at_once():
    result, _, clock = watch(["a", ApiError("401")])
    assert str(result) == "401" and clock.slept == [5]


def test_the_time_is_over_on_time():
    result, observer, clock = watch(["a"] * 100, timeout_seconds=12)
    assert isinstance(result, WaitTimeoutError)
    assert clock.slept == [5, 5, 2] and len(observer.seen) == 4, "and it looks a last time"


def test_without_any_time_it_looks_once():
    result, observer, clock = watch(["a"] * 3, timeout_seconds=0)
    assert isinstance(result, WaitTimeoutError)
    assert observer.seen == ["a"] and clock.slept == []
