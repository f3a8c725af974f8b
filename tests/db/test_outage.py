"""When a server that failed is asked again."""

from db.outage import Outage


class Seconds:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_server_is_left_alone_longer_with_each_failure_and_a_minute_at_most() -> None:
    seconds = Seconds()
    outage = Outage(seconds)
    assert not outage.lasts
    pauses = []
    for _ in range(6):
        outage.failed()
        began = seconds.now
        while outage.pauses:
            seconds.now += 1
        pauses.append(seconds.now - began)
    assert pauses == [5, 10, 20, 40, 60, 60]
    assert outage.lasts


def test_a_server_that_answered_starts_anew() -> None:
    seconds = Seconds()
    outage = Outage(seconds)
    outage.failed()
    seconds.now += 5
    outage.failed()
    outage.ended()
    assert not outage.lasts
    assert not outage.pauses
    outage.failed()
    seconds.now += 5
    assert not outage.pauses
