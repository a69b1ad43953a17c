"""Measures, with unmodified posthog-python: three captures flushed, then the flag asked.

usage: python_latency.py URL TOKEN FLAG EVENT [ROUNDS]
Prints percentiles of the time from the end of the flush to the first answer that is on.
"""

import sys
import time

from posthog import Posthog


def main(url, token, flag, event, rounds=1000):
    client = Posthog(token, host=url, flush_at=100, flush_interval=60)
    took_ms, asked_again = [], 0
    for number in range(int(rounds)):
        person = f"latency-{time.time_ns()}-{number}"
        for _ in range(3):
            client.capture(event, distinct_id=person)
        client.flush()
        began = time.perf_counter()
        while not client.get_feature_flag(flag, person, send_feature_flag_events=False):
            asked_again += 1
            if time.perf_counter() - began > 5:
                sys.exit(f"{person} never got {flag}")
        took_ms.append((time.perf_counter() - began) * 1000)
    client.shutdown()
    took_ms.sort()
    at = lambda share: took_ms[min(len(took_ms) - 1, int(len(took_ms) * share))]
    print(
        f"{len(took_ms)} rounds: p50 {at(0.5):.1f} ms, p99 {at(0.99):.1f} ms, "
        f"max {took_ms[-1]:.1f} ms; {asked_again} answers came too early"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
