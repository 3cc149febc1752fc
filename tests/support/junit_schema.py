#!/usr/bin/env python3
"""junit_schema.py FILE [FILE...]: exit code 1 and a line for each breach of what readers of JUnit files agree on.

The rules are those that the schemas of Jenkins' xUnit plugin and of Ant's JUnit task have in common: which elements
stand where, which attributes they must and may have, that counts are counts and agree with what is there, and that no
two cases of a suite carry one name.
"""
import collections
import sys
import xml.etree.ElementTree as ElementTree

# element: (children, required attributes, further attributes)
RULES = {
    "testsuites": ({"testsuite"}, {"name", "tests", "failures", "errors"}, {"time", "disabled"}),
    "testsuite": ({"testcase", "properties", "system-out", "system-err"}, {"name", "tests", "failures", "errors"},
                  {"skipped", "time", "timestamp", "hostname", "id", "package"}),
    "testcase": ({"failure", "error", "skipped", "system-out", "system-err"}, {"name", "classname"}, {"time"}),
    "failure": (set(), {"message", "type"}, set()),
    "system-out": (set(), set(), set()),
}


def breaches(element, path="", parent=None):
    name = element.tag
    here = f"{path}/{name}"
    if name not in RULES:
        yield f"{here}: no such element"
        return
    children, required, further = RULES[name]
    for attribute in required - set(element.attrib):
        yield f"{here}: no attribute '{attribute}'"
    for attribute in set(element.attrib) - required - further:
        yield f"{here}: attribute '{attribute}' is not known"
    for attribute in {"tests", "failures", "errors", "skipped"} & set(element.attrib):
        if not element.get(attribute).isdigit():
            yield f"{here}: {attribute} is '{element.get(attribute)}', no number"
    for child in element:
        if child.tag not in children:
            yield f"{here}: '{child.tag}' does not belong here"
        yield from breaches(child, here, element)
    if name in ("testsuites", "testsuite"):
        cases = list(element.iter("testcase"))
        for attribute, found in (("tests", len(cases)), ("failures", sum(c.find("failure") is not None for c in cases))):
            if element.get(attribute) != str(found):
                yield f"{here}: {attribute} is {element.get(attribute)}, but there are {found}"
    if name == "testsuite":
        names = collections.Counter((c.get("classname"), c.get("name")) for c in element.iter("testcase"))
        yield from (f"{here}: {count} cases are called {case}" for case, count in names.items() if count > 1)


def main(files):
    bad = 0
    for file in files:
        try:
            root = ElementTree.parse(file).getroot()
            found = list(breaches(root)) if root.tag == "testsuites" else [f"the root is '{root.tag}'"]
        except ElementTree.ParseError as error:
            found = [f"no XML: {error}"]
        for breach in found:
            print(f"{file}: {breach}")
        bad += len(found)
    return 1 if bad or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
