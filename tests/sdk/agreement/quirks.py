"""Where an SDK is known to decide otherwise than PostHog's server: rules of posthog.md, by flag.

A rule explains a difference only if the flag has a filter that the rule is about, for this person.
"""

import re

SKIPS = "4.5: an SDK skips a condition that it can't decide, and may match a later one"
EXACT_COHORT = "4.6: `exact` on a cohort is no match on the server, SDKs take it for `in`"
NEGATED_IN_OR = "4.6: the server's OR ignores the negation of a cohort"
EMPTY_OR = "4.6: an empty OR is false on the server, SDKs take an empty group for true"
PRERELEASE = "4.5: SDKs don't order pre-releases"
NOT_EVALUATED = "4.5: a filter that can't be evaluated is no match, negated too"
NODE_TEXT_ORDER = "4.5: node compares what is no number as text"
NODE_JSON = "4.5: text of what is no text is compact JSON on the server, JavaScript's in node"
NODE_ENROLMENT = "4.5: node has no feature_enrollment"
NODE_REGEX = "4.5: node's regular expressions differ"

NUMERIC = ("gt", "gte", "lt", "lte")
DATED = ("is_date_before", "is_date_after")


class Case:
    """A flag, asked for a person."""

    def __init__(self, sdk, person, definitions):
        self.sdk, self.person, self.definitions = sdk, person, definitions
        self.flags = {flag["key"]: flag for flag in definitions["flags"]}
        self.rules, self.seen = set(), set()

    def flag(self, flag):
        if flag["key"] in self.seen:
            return
        self.seen.add(flag["key"])
        filters = flag["filters"]
        if filters.get("feature_enrollment") and self.sdk == "node":
            self.rules.add(NODE_ENROLMENT)
        # The server has an answer for who has no device, an SDK has none; node isn't told of any.
        has_device = "device_id" in self.person and self.sdk == "python"
        if flag.get("bucketing_identifier") == "device_id" and not has_device:
            self.rules.add(SKIPS)
        inherited = filters.get("aggregation_group_type_index")
        for condition in filters["groups"]:
            aggregation = condition.get("aggregation_group_type_index", inherited)
            for leaf in condition["properties"]:
                self.leaf(leaf, self.properties(aggregation))

    def properties(self, aggregation):
        if aggregation is None:
            return {"distinct_id": "", **self.person["person_properties"]}
        group_type = self.definitions["group_type_mapping"][str(aggregation)]
        return {"$group_key": "", **self.person["group_properties"].get(group_type, {})}

    def leaf(self, leaf, properties):
        if leaf["type"] == "cohort":
            if leaf.get("operator") == "exact":
                self.rules.add(EXACT_COHORT)
            self.group(self.definitions["cohorts"][str(leaf["value"])], properties)
        elif leaf["type"] == "flag":
            self.flag(self.flags[leaf["key"]])
        else:
            self.property(leaf, properties)

    def group(self, group, properties):
        if group["type"] == "OR" and not group["values"]:
            self.rules.add(EMPTY_OR)
        of_groups = ["values" in member for member in group["values"]]
        if self.sdk == "node" and any(of_groups) and not all(of_groups):
            # PostHog's groups are of groups or of conditions; node looks at the first alone.
            self.rules.add(SKIPS)
        for member in group["values"]:
            if "values" in member:
                self.group(member, properties)
                continue
            if member["type"] == "cohort" and member.get("negation") and group["type"] == "OR":
                self.rules.add(NEGATED_IN_OR)
            self.leaf(member, properties)

    def property(self, leaf, properties):
        operator = leaf.get("operator") or "exact"
        if leaf["key"] not in properties:
            self.rules.add(SKIPS)
            return
        asked, held = leaf["value"], properties[leaf["key"]]
        if operator in DATED and not (is_date(held) and (is_date(asked) or is_ago(asked))):
            self.rules.add(SKIPS)
        if operator.endswith("regex") and "(?" in str(asked):
            # Only the server knows every kind of group.
            self.rules.add(SKIPS)
        if operator in NUMERIC and not (is_number(asked) and is_number(held)):
            self.rules.add(NODE_TEXT_ORDER if self.sdk == "node" else NOT_EVALUATED)
        if self.sdk == "node" and operator in ("exact", "is_not"):
            if has_whole_number(asked) or has_whole_number(held):
                # Node can't tell 5 from 5.0, and leaves it to the server.
                self.rules.add(SKIPS)
        elif self.sdk == "node" and any(isinstance(of, (list, dict)) for of in (asked, held)):
            self.rules.add(NODE_JSON)
        if operator.startswith("semver"):
            if any("-" in str(version) for version in (asked, held)):
                self.rules.add(PRERELEASE)
            if not (is_version(held) and is_version(asked)):
                self.rules.update([SKIPS, NOT_EVALUATED])
        if operator.endswith("regex") and self.sdk == "node" and not str(held).isascii():
            self.rules.add(NODE_REGEX)
        if operator.endswith("regex") and leaf.get("negation"):
            self.rules.add(NOT_EVALUATED)


def is_number(value):
    if isinstance(value, bool):
        return False
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def has_whole_number(value):
    if isinstance(value, (list, dict)):
        members = value.values() if isinstance(value, dict) else value
        return any(has_whole_number(member) for member in members)
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value)


def is_date(value):
    return isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value) is not None


def is_ago(value):
    return re.match(r"-?\d{1,4}[hdwmy]$", str(value)) is not None


def is_version(value):
    number = "(0|[1-9][0-9]*)"
    return re.match(rf"v?{number}(\.{number}){{0,2}}([-+].*)?$", str(value)) is not None


def quirks_of(sdk, flag, person, definitions):
    """The rules by which the SDK may decide this flag otherwise for this person."""
    case = Case(sdk, person, definitions)
    case.flag(flag)
    return case.rules
