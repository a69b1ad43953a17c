"""What a shop's own code does with posthog-python, unmodified: capture, flush, ask.

Called with the address and the project's token. Prints what it saw as JSON, and fails on the
first thing that isn't as it should be.
"""

import json
import sys
import time
from datetime import datetime, timedelta, timezone

from posthog import Posthog

saw = {}


def expect(what, value, wanted):
    saw[what] = value
    if value != wanted:
        print(json.dumps(saw, default=str))
        sys.exit(f"{what}: {value!r}, wanted {wanted!r}")


def main(host, token):
    errors = []
    client = Posthog(token, host=host, on_error=lambda error, batch: errors.append(str(error)))
    offer = lambda person: client.feature_enabled("offer", person)

    expect("offer before", offer("py-ann"), False)
    for _ in range(3):
        client.capture("added to cart", distinct_id="py-ann", properties={"price": 60})
    client.flush()
    asked = time.monotonic()
    expect("offer after three adds", offer("py-ann"), True)
    saw["answered in ms"] = round((time.monotonic() - asked) * 1000, 1)
    payload = client.get_feature_flag_payload("offer", "py-ann")
    payload = json.loads(payload) if isinstance(payload, str) else payload
    expect("payload", payload, {"text": "Free shipping"})
    expect("offer of somebody else", offer("py-ben"), False)
    expect("a flag that isn't there", client.get_feature_flag("nothing", "py-ann"), None)

    variant = client.get_feature_flag("banner", "py-ann")
    expect("variant is one of two", variant in ("control", "banner"), True)
    everything = client.get_all_flags("py-ann")
    expect("variant among all flags", everything["banner"], variant)
    expect("offer among all flags", everything["offer"], True)

    perks = lambda **more: client.feature_enabled("perks", "py-ann", **more)
    expect("perks without a plan", perks(), False)
    expect("perks by override", perks(person_properties={"plan": "pro"}), True)
    client.set(distinct_id="py-ann", properties={"plan": "team"})
    client.flush()
    expect("perks once the plan is set", perks(), True)
    expect("perks by override, off", perks(person_properties={"plan": "free"}), False)

    for _ in range(3):
        client.capture("added to cart", distinct_id="py-visitor")
    client.flush()
    expect("offer before the log-in", offer("py-dora"), False)
    client.alias("py-dora", "py-visitor")
    client.flush()
    expect("offer after the log-in", offer("py-dora"), True)

    past = datetime.now(timezone.utc) - timedelta(minutes=6)
    for _ in range(3):
        client.capture("added to cart", distinct_id="py-cleo", timestamp=past)
    client.flush()
    expect("offer six minutes later", offer("py-cleo"), False)
    expect("many adds in an hour", client.feature_enabled("many-adds", "py-cleo"), True)

    client.capture("purchase", distinct_id="py-ann")
    client.flush()
    expect("offer after the purchase", offer("py-ann"), False)
    client.shutdown()
    expect("errors while sending", errors, [])
    print(json.dumps(saw))


main(sys.argv[1], sys.argv[2])
