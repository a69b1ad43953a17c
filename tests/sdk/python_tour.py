"""What a shop's own code does with posthog-python, unmodified: capture, flush, ask.

Called with the address, the project's token and its secret; TOUR_DEFINITIONS is the project's
folder. Prints what it saw as JSON, and fails on the first thing that isn't as it should be.
"""

import json
import os
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from posthog import Posthog

# How long anything may take that is bound to happen.
WITHIN_S = 30

saw = {}


def expect(what, value, wanted):
    saw[what] = value
    if value != wanted:
        print(json.dumps(saw, default=str))
        sys.exit(f"{what}: {value!r}, wanted {wanted!r}")


def eventually(what, ask, wanted):
    began = time.monotonic()
    while ask() != wanted and time.monotonic() - began < WITHIN_S:
        time.sleep(0.02)
    expect(what, ask(), wanted)


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
    flags = client.evaluate_flags("py-ann")
    expect("offer among all that is evaluated", flags.is_enabled("offer"), True)
    payload = flags.get_flag_payload("offer")
    payload = json.loads(payload) if isinstance(payload, str) else payload
    expect("its payload", payload, {"text": "Free shipping"})
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

    def seats(company, properties=None):
        told = {"groups": {"company": company}} if company else {}
        told |= {"group_properties": {"company": properties}} if properties else {}
        return client.feature_enabled("seats", "py-ann", **told)

    expect("seats of an unknown company", seats("py-acme"), False)
    client.group_identify("company", "py-acme", {"seats": 80})
    client.flush()
    expect("seats of the company", seats("py-acme"), True)
    expect("seats of another", seats("py-other"), False)
    expect("seats of no company", seats(None), False)
    expect("seats by override", seats("py-other", {"seats": 80}), True)
    expect("seats by override, off", seats("py-acme", {"seats": 5}), False)
    everything = client.get_all_flags("py-ann", groups={"company": "py-acme"})
    expect("seats among all flags", everything["seats"], True)

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


def decide_locally(host, token, secret):
    """With the secret, the SDK decides by itself what needs no events, and asks for the rest."""
    asking = Posthog(token, host=host)
    client = Posthog(token, host=host, secret_key=secret)
    client.load_feature_flags()
    alone = lambda flag, **more: client.get_feature_flag(
        flag, "py-eve", only_evaluate_locally=True, send_feature_flag_events=False, **more
    )
    keys = sorted(flag["key"] for flag in client.feature_flags)
    shop = ["banner", "many-adds", "offer", "perks", "quiet", "shoes"]
    posthogs = ["regulars", "seats", "settings", "sticky"]
    expect("definitions loaded", keys, sorted(shop + posthogs))
    expect("a plain flag, alone", alone("banner"), asking.get_feature_flag("banner", "py-eve"))
    pro = {"person_properties": {"plan": "pro"}}
    expect("a property that is told, alone", alone("perks", **pro), True)
    expect("another, alone", alone("perks", person_properties={"plan": "free"}), False)
    expect("a property that isn't told, alone", alone("perks"), None)
    acme = lambda seats: {
        "groups": {"company": "py-acme"}, "group_properties": {"company": {"seats": seats}},
    }
    expect("a group's property, alone", alone("seats", **acme(80)), True)
    expect("another group's, alone", alone("seats", **acme(5)), False)
    expect("a flag on events, alone", alone("offer"), None)
    expect("PostHog's cohort of events, alone", alone("regulars"), None)
    expect("a flag that keeps its value, alone", alone("sticky"), None)
    before = client.get_feature_flag("regulars", "py-eve")
    expect("PostHog's cohort of events, asked, before", before, False)
    for _ in range(3):
        client.capture("added to cart", distinct_id="py-eve")
    client.flush()
    expect("a flag on events, asked", client.get_feature_flag("offer", "py-eve"), True)
    everything = client.get_all_flags("py-eve")
    expect("offer among all flags, asked", everything["offer"], True)
    asked = client.get_feature_flag("regulars", "py-eve")
    expect("PostHog's cohort of events, asked", asked, True)
    settings = json.loads(client.get_remote_config_payload("settings"))
    expect("remote configuration", settings, {"colour": "green"})
    client.load_feature_flags()
    expect("a plain flag, loaded again", alone("banner"), everything["banner"])

    def late():
        client.load_feature_flags()
        return alone("py-late")

    expect("a flag that isn't saved, alone", late(), None)
    saved = Path(os.environ["TOUR_DEFINITIONS"], "flags", "py-late.yaml")
    draft = saved.with_suffix(".draft")
    draft.write_text("rules:\n  - rollout: 100%\n")
    draft.rename(saved)
    eventually("a flag that is saved, alone", late, True)
    client.shutdown()
    asking.shutdown()


main(sys.argv[1], sys.argv[2])
decide_locally(*sys.argv[1:])
print(json.dumps(saw))
