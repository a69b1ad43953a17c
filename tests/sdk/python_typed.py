"""What posthog-python, unmodified, makes of typed records: it asks `v=4`, and reads them.

Called with the address, the project's token and its secret. Fails on the first thing that isn't as it should be.
"""

import json
import sys

from posthog import Posthog

saw = {}


def expect(what, value, wanted):
    saw[what] = value
    if value != wanted or type(value) is not type(wanted):
        print(json.dumps(saw, default=str))
        sys.exit(f"{what}: {value!r}, wanted {wanted!r}")


def main(host, token, secret):
    client = Posthog(token, host=host)
    of = lambda key: client.get_feature_flag(key, "ann", send_feature_flag_events=False)
    payload = lambda key: client.get_feature_flag_payload(key, "ann")

    expect("a switch", of("switch"), True)
    expect("a text", of("layout"), "compact")
    expect("a number", of("discount"), True)
    expect("a number as payload", payload("discount"), 15)
    expect("an object", payload("limits"), {"columns": 2, "names": ["é"]})
    expect("no value", of("nothing"), False)
    expect("a condition", of("plain"), True)
    expect("its payload", payload("plain"), {"text": "as ever"})
    expect("what fails", of("broken"), None)
    everything = client.get_all_flags("ann")
    expect("a number among all flags", everything["discount"], True)

    # What the SDK has read and doesn't show yet: only typed records have it.
    read = client.get_flags_decision("ann")["flags"]
    value = lambda key: (read[key]._value, read[key].metadata._config_version, read[key]._failed)
    expect("the switch, typed", value("switch"), (True, 2, False))
    expect("the text, typed", value("layout"), ("compact", 2, False))
    expect("the number, typed", value("discount"), (15, 1, False))
    expect("the object, typed", value("limits"), ({"columns": 2, "names": ["é"]}, 2, False))
    expect("nothing, typed", value("nothing"), (None, 2, False))
    expect("what failed, typed", value("broken"), (None, 2, True))
    expect("the reason", read["layout"].reason.code, "experiment_split")
    metadata = read["layout"].metadata
    expect("the arm", metadata._variant_key, "small")
    expect("the kind of rule", metadata._rule_type, "experiment")
    expect("the rule", metadata._rule_id, "10000000-0000-4000-8000-000000000002")
    client.shutdown()

    # With the definitions it decides what release conditions can say, and asks for the rest.
    client = Posthog(token, host=host, secret_key=secret)
    client.load_feature_flags()
    local = lambda key: client.get_feature_flag(
        key, "ann", only_evaluate_locally=True, send_feature_flag_events=False
    )
    expect("a switch, by itself", local("switch"), True)
    expect("a text, by itself", local("layout"), None)
    expect("a text, asked for", of("layout"), "compact")
    expect("a number, by itself", local("discount"), None)
    expect("an object, asked for", payload("limits"), {"columns": 2, "names": ["é"]})
    client.shutdown()
    print(json.dumps(saw))


main(*sys.argv[1:])
