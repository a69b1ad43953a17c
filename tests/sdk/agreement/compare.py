"""Compares what SDKs decided for themselves with what Sluice answers, flag by flag.

Called with the folder of a world, Sluice's address, and the SDKs: `python`, `node`. Differences
that a rule of posthog.md explains are counted by that rule; any other ends it.
"""

import http.client
import json
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlparse

from quirks import quirks_of

SHOWN = 10


class Sluice:
    """One connection to a node."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(urlparse(address).netloc)

    def flags(self, person):
        asked = {"token": f"phc_p{person['project']}", **person}
        body = json.dumps(asked)
        self.connection.request("POST", "/flags/?v=2", body, {"content-type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            sys.exit(f"{answer.status}: {text.decode()}")
        return json.loads(text)["flags"]


def value_of(record):
    if record.get("failed"):
        return f"failed: {record['reason']['code']}"
    return record["variant"] or record["enabled"]


class Comparison:
    """What one SDK said, beside what Sluice says."""

    def __init__(self, sdk, lines):
        self.sdk, self.lines = sdk, lines
        self.compared, self.explained, self.unexplained = 0, Counter(), []

    def person(self, person, flags, definitions):
        local = json.loads(next(self.lines))
        by_key = {flag["key"]: flag for flag in definitions["flags"]}
        # Both know who has no device; only the server can say what doesn't depend on one.
        for key, value in local.items():
            flag = by_key[key]
            if not flag["active"]:
                # Left out of answers, and off for whoever decides locally.
                continue
            self.compared += 1
            ours = value_of(flags[key]) if key in flags else "left out"
            if ours == value and type(ours) is type(value):
                continue
            rules = quirks_of(self.sdk, flag, person, definitions)
            if rules:
                self.explained.update(sorted(rules)[:1])
            else:
                self.unexplained.append((flag, person, value, ours))

    def tell(self):
        known = sum(self.explained.values())
        print(f"{self.sdk}: {self.compared} compared, {known} explained, "
              f"{len(self.unexplained)} unexplained")
        for rule, times in self.explained.most_common():
            print(f"  {times:>7}  {rule}")
        for flag, person, value, ours in self.unexplained[:SHOWN]:
            print(f"UNEXPLAINED: {self.sdk} says {value!r}, Sluice {ours!r}\n"
                  f"  {json.dumps(flag['filters'], ensure_ascii=False)}\n"
                  f"  {json.dumps(person, ensure_ascii=False)}")


def main(folder, address, *sdks):
    folder = Path(folder)
    sluice = Sluice(address)
    comparisons = [Comparison(sdk, (folder / f"{sdk}.jsonl").open()) for sdk in sdks]
    number, definitions = None, None
    with (folder / "people.jsonl").open() as people:
        for line in people:
            person = json.loads(line)
            if person["project"] != number:
                number = person["project"]
                path = folder / "definitions" / f"p{number}" / "posthog.json"
                definitions = json.loads(path.read_text())
            flags = sluice.flags(person)
            for comparison in comparisons:
                comparison.person(person, flags, definitions)
    for comparison in comparisons:
        comparison.tell()
    if any(comparison.unexplained or not comparison.compared for comparison in comparisons):
        sys.exit("they don't agree")


if __name__ == "__main__":
    main(*sys.argv[1:])
