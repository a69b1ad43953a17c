"""Flags and people by chance: definitions as PostHog's feed has them, and who asks.

The same seed makes the same world. Called with a seed, the number of projects, the number of
people in each, and a folder, which gets `definitions/` and `people.jsonl`.
"""

import json
import random
import sys
from pathlib import Path

FLAGS = 40
COHORTS = 12
GROUP_TYPES = {"0": "company", "1": "team"}

TEXTS = ["pro", "Pro", "PRO", "free", "", " x ", "true", "False", "5", "5.0", "-3", "1e3", "null"]
LETTERS = ["Größe", "GRÖSSE", "ÄB", "äb", "İstanbul", "naïve", "日本"]
NUMBERS = [0, 1, 5, -3, 5.5, 1000, 0.1, 1e21]
OTHERS = [True, False, None, [], ["pro"], ["a", 5], {"a": 1}]
DATES = ["2024-01-01", "2024-01-01T10:00:00Z", "2024-06-15 12:30:00", "2030-02-28T23:59:59.5+02:00"]
RELATIVE = ["-7d", "7d", "-1m", "2y", "-36h", "-10000d", "-3w", "soon"]
VERSIONS = ["1.2.3", "1.2.4", "v1.2.3", "1.2", "2", "1.2.3-alpha", "1.2.3-beta.2", "01.2.3", "2.0.0",
            "0.3.1", "0.0.3", "1.2.3+build", "x.y"]
PATTERNS = ["^pro$", "(?i)PRO", "o+", "\\d", "[a-f]", "(", "^$", "e{1,2}$", "@shop\\.example$"]
EMAILS = ["ann@shop.example", "ben@mail.example", "Ann@Shop.Example"]

# What each property of a person, or of a company, is made from.
PROPERTIES = {
    "plan": TEXTS + LETTERS + OTHERS,
    "age": NUMBERS + TEXTS + OTHERS,
    "joined": DATES + RELATIVE + [1700000000, None, "x"],
    "version": VERSIONS + [5, None],
    "email": EMAILS + ["", None],
}
EQUALITY = ["exact", "is_not", "is_set", "is_not_set"]
TEXTUAL = ["icontains", "not_icontains", "starts_with", "not_starts_with", "ends_with",
           "not_ends_with", "regex", "not_regex"]
NUMERIC = ["gt", "gte", "lt", "lte"]
DATED = ["is_date_before", "is_date_after"]
VERSIONED = ["semver_eq", "semver_neq", "semver_gt", "semver_gte", "semver_lt", "semver_lte",
             "semver_tilde", "semver_caret"]
SHARES = [0, 10, 33.3, 50, 66.67, 90, 100, None]


class World:
    """One project's definitions and people."""

    def __init__(self, seed, number):
        self.dice = random.Random(f"{seed}/{number}")
        self.number = number
        self.matching = self.dice.choice([1, 2])
        self.cohorts = {}
        for cohort in range(1, COHORTS + 1):
            self.cohorts[str(cohort)] = self.cohort()
        self.flags = []
        for flag in range(FLAGS):
            self.flags.append(self.flag(flag))

    def chance(self, percent):
        return self.dice.random() * 100 < percent

    def definitions(self):
        return {
            "flags": self.flags,
            "group_type_mapping": GROUP_TYPES,
            "cohorts": self.cohorts,
            "property_matching_version": self.matching,
        }

    def leaf(self, kind="person"):
        key = self.dice.choice(list(PROPERTIES))
        operators, values = EQUALITY, PROPERTIES[key]
        roll = self.dice.random()
        if key == "joined" and roll < 0.7:
            operators, values = DATED, DATES + RELATIVE
        elif key == "version" and roll < 0.7:
            operators, values = VERSIONED, VERSIONS
        elif key == "age" and roll < 0.6:
            operators, values = NUMERIC, NUMBERS + ["5", "-3", "x"]
        elif roll < 0.5:
            operators, values = TEXTUAL, TEXTS + EMAILS + LETTERS + [5, True]
        operator = self.dice.choice(operators)
        value = self.dice.choice(values)
        if operator.endswith("regex"):
            value = self.dice.choice(PATTERNS)
        if operator in ("exact", "is_not") and self.chance(30):
            value = [self.dice.choice(values) for _ in range(self.dice.randint(0, 3))]
        if value is None and operator not in ("is_set", "is_not_set"):
            value = "pro"
        leaf = {"key": key, "type": kind, "operator": operator, "value": value}
        if operator == "exact" and self.chance(20):
            del leaf["operator"]
        return leaf

    def cohort(self):
        """A cohort that may name those before it."""
        known = list(self.cohorts)

        def entry():
            if known and self.chance(20):
                entry = {"key": "id", "type": "cohort", "value": int(self.dice.choice(known))}
            else:
                entry = self.leaf()
            if self.chance(20):
                entry["negation"] = True
            return entry

        def group(depth):
            members = []
            for _ in range(self.dice.randint(0 if self.chance(5) else 1, 3)):
                members.append(group(depth - 1) if depth and self.chance(60) else entry())
            return {"type": self.dice.choice(["AND", "OR"]), "values": members}

        return group(1)

    def dependency(self):
        """A filter on a flag of people that stands before."""
        known = [flag for flag in self.flags if is_plain(flag)]
        if not known:
            return self.leaf()
        flag = self.dice.choice(known)
        values = [True, False] + [variant["key"] for variant in variants_of(flag)] + ["nothing"]
        chain = chain_of(self.flags, flag)
        return {"key": flag["key"], "type": "flag", "operator": "flag_evaluates_to",
                "value": self.dice.choice(values), "dependency_chain": chain}

    def condition(self, aggregation, variants):
        properties = []
        for _ in range(self.dice.choice([0, 1, 1, 2, 3])):
            roll = self.dice.random()
            if aggregation is not None:
                properties.append({**self.leaf("group"), "group_type_index": aggregation})
            elif roll < 0.15:
                operator = self.dice.choice(["in", "not_in", "in", "not_in", "exact"])
                cohort = self.dice.choice(list(self.cohorts))
                properties.append({"key": "id", "type": "cohort", "value": int(cohort),
                                   "operator": operator})
            elif roll < 0.25:
                properties.append(self.dependency())
            else:
                properties.append(self.leaf())
        condition = {"properties": properties, "rollout_percentage": self.dice.choice(SHARES)}
        if variants and self.chance(30):
            condition["variant"] = self.dice.choice([v["key"] for v in variants] + ["gone"])
        return condition

    def flag(self, number):
        variants = []
        if self.chance(40):
            shares = self.dice.choice([[50, 50], [33.3, 33.3, 33.4], [100], [20, 30], [0, 100]])
            variants = [{"key": f"arm-{at}", "rollout_percentage": share}
                        for at, share in enumerate(shares)]
        aggregation = self.dice.choice([0, 1]) if self.chance(15) else None
        groups = []
        for _ in range(self.dice.randint(0 if self.chance(5) else 1, 3)):
            condition = self.condition(aggregation, variants)
            if aggregation is None and self.chance(6):
                condition = self.condition(0, variants)
                condition["aggregation_group_type_index"] = 0
            groups.append(condition)
        filters = {"groups": groups, "payloads": {"true": "1"},
                   "multivariate": {"variants": variants} if variants else None}
        if aggregation is not None:
            filters["aggregation_group_type_index"] = aggregation
        if self.chance(10):
            filters["early_exit"] = True
        if self.chance(8):
            filters["holdout"] = {"id": self.dice.randint(1, 9),
                                  "exclusion_percentage": self.dice.choice([5, 20, 50, 100, 0])}
        if self.chance(5) and aggregation is None:
            filters["feature_enrollment"] = True
        flag = {"id": 1000 * self.number + number + 1, "team_id": 1, "key": f"flag-{number}",
                "name": "", "active": not self.chance(4), "deleted": False, "version": 1,
                "filters": filters}
        if self.chance(6) and aggregation is None:
            flag["bucketing_identifier"] = "device_id"
        return flag

    def properties(self):
        held = {}
        for key, values in PROPERTIES.items():
            if self.chance(93):
                held[key] = self.dice.choice(values)
        return held

    def person(self, number):
        person = {"project": self.number, "distinct_id": f"{self.number}-person-{number}",
                  "person_properties": self.properties(), "groups": {}, "group_properties": {}}
        if self.chance(20):
            key = f"$feature_enrollment/flag-{self.dice.randrange(FLAGS)}"
            person["person_properties"][key] = self.dice.choice([True, "true", False, "no"])
        for group_type in GROUP_TYPES.values():
            if self.chance(80):
                person["groups"][group_type] = f"{group_type}-{self.dice.randrange(50)}"
                person["group_properties"][group_type] = self.properties()
        if self.chance(80):
            person["device_id"] = f"device-{self.dice.randrange(1000)}"
        return person


def variants_of(flag):
    return (flag["filters"]["multivariate"] or {}).get("variants", [])


def is_plain(flag):
    """Whether an SDK decides it alike for itself and for a flag that depends on it."""
    filters = flag["filters"]
    of_groups = [c for c in filters["groups"] if c.get("aggregation_group_type_index") is not None]
    return "aggregation_group_type_index" not in filters and not of_groups


def chain_of(flags, flag):
    """What a flag depends on, itself last, as PostHog's feed has it."""
    by_key = {other["key"]: other for other in flags}
    chain = []

    def visit(key):
        if key in chain:
            return
        for condition in by_key[key]["filters"]["groups"]:
            for leaf in condition["properties"]:
                if leaf["type"] == "flag":
                    visit(leaf["key"])
        chain.append(key)

    visit(flag["key"])
    return chain


def main(seed, projects, people, folder):
    folder = Path(folder)
    with (folder / "people.jsonl").open("w") as out:
        for number in range(int(projects)):
            world = World(seed, number)
            home = folder / "definitions" / f"p{number}"
            home.mkdir(parents=True)
            (home / "project.yaml").write_text(f"token: phc_p{number}\n")
            (home / "posthog.json").write_text(json.dumps(world.definitions()))
            for person in range(int(people)):
                out.write(json.dumps(world.person(person)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
