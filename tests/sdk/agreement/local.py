"""What posthog-python, unmodified, decides for itself: a line of values by flag for each person.

Called with the folder of a world and the address of its feed.
"""

import json
import sys
from pathlib import Path

from posthog import Posthog


def client_of(number, feed):
    client = Posthog(f"phc_p{number}", host=feed, personal_api_key="phs_any", send=False,
                     poll_interval=3600)
    client.load_feature_flags()
    return client


def main(folder, feed):
    folder = Path(folder)
    number, client = None, None
    with (folder / "people.jsonl").open() as people, (folder / "python.jsonl").open("w") as out:
        for line in people:
            person = json.loads(line)
            if person["project"] != number:
                number = person["project"]
                client = client_of(number, feed)
            values = client.get_all_flags(
                person["distinct_id"],
                groups=person["groups"],
                person_properties=person["person_properties"],
                group_properties=person["group_properties"],
                device_id=person.get("device_id"),
                only_evaluate_locally=True,
            )
            out.write(json.dumps(values) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
