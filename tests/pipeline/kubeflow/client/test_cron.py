import pytest

from pipeline.kubeflow.client.cron import six_fields


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("30 3 * * *", "0 30 3 * * *"),
        ("  0   0 1,15 * ? ", "0 0 0 1,15 * ?"),
        ("*/15 8-18 * jan-MAR MON-FRI", "0 */15 8-18 * jan-MAR MON-FRI"),
        ("5/20 * * * 0", "0 5/20 * * * 0"),
        ("10 0 9 ? * 2-6", "10 0 9 ? * 2-6"),
        (" @weekly ", "@weekly"),
        ("@daily", "@daily"),
        ("59 23 31 12 6", "0 59 23 31 12 6"),
        ("0 0 1 dec sat", "0 0 0 1 dec sat"),
        ("0 9-9 * * sun-sun", "0 0 9-9 * * sun-sun"),
        ("@hourly", "@hourly"),
    ],
)
def test_five_fields_get_their_second(written, sent):
    assert six_fields(written) == sent


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("", "write minute, hour, day, month and day of the week"),
        ("* * * *", "write minute, hour, day, month and day of the week"),
        ("0 0 3 * * * 2027", "write minute, hour, day, month and day of the week"),
        ("@every 1s", "or one of @hourly"),
        ("60 3 * * *", "minute `60`: allowed are 0 to 59"),
        ("0 24 * * *", "hour `24`: allowed are 0 to 23"),
        ("0 0 0 * *", "day of the month `0`: allowed are 1 to 31"),
        ("0 0 1 13 *", "month `13`: allowed are 1 to 12 or JAN to DEC"),
        ("0 0 * * 7", "day of the week `7`: allowed are 0 to 6 or SUN to SAT; Sunday is 0"),
        ("0 0 * * MONDAY", "day of the week `MONDAY`: allowed are"),
        ("0 0 L * *", "day of the month `L`: allowed are"),
        ("0 18-8 * * *", "hour `18-8`: the range runs backwards"),
        ("0 1-2-3 * * *", "hour `1-2-3`: allowed are"),
        ("*/0 * * * *", "minute `*/0`: what follows / is the step"),
        ("0 */x * * *", "hour `*/x`: what follows / is the step"),
        ("0 3/ * * *", "hour `3/`: what follows / is the step"),
        ("0 1,24 * * *", "hour `1,24`: allowed are 0 to 23"),
        ("0 1, * * *", "hour `1,`: allowed are"),
        ("0 \u0663 * * *", "allowed are 0 to 23"),
        ("* 30 3 * * *", "second `*` would start more than one run a minute"),
        ("*/10 30 3 * * *", "second `*/10` would start more than one run a minute"),
        ("0,30 30 3 * * *", "second `0,30` would start more than one run a minute"),
        ("@reboot", "or one of @hourly, @daily, @weekly, @monthly, @yearly"),
    ],
)
def test_what_the_server_reads_otherwise_or_not_at_all_is_refused(written, says):
    with pytest.raises(ValueError) as raised:
        six_fields(written)
    assert says in str(raised.value) and str(raised.value).startswith(f'--cron "{written}": ')
