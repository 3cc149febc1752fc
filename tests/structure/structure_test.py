#!/usr/bin/env python3
"""The structure of the code in figures, and held against its rules.

    structure_test.py [ROOT]          files per folder, arrows between rooms, circles, longest file and function
    structure_test.py check [ROOT]    exit code 1 and a line for each breach of the rules below
    structure_test.py self-test       plants breaches and looks whether each is found

A room is a folder; at the top of a folder lie interfaces, and what puts the rooms together is a room of its own
(TOGETHER). An arrow leads from a room to one that its files include.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

FOLDERS = ["attacks", "defenses", "models", "src/base", "src/pocket", "src/training", "src/experiment",
           "src/serve", "src/cli"]
MOST_FILE_LINES = 400
MOST_FUNCTION_LINES = 40

# files at the top of a folder that know its rooms
TOGETHER = {"models/load_model": "models/load_model", "models/not_finite": "models/load_model",
            "defenses/make_defense": "defenses/make_defense"}

# What a room may include beside itself; of other folders: every room of those named in FOLDER_RULES.
ROOM_RULES = {
    "attacks": [],
    "attacks/behaviors": ["attacks"],
    "attacks/constraints": ["attacks"],
    "attacks/optimizers": ["attacks", "attacks/constraints"],
    "attacks/objectives": ["attacks", "attacks/behaviors"],
    "attacks/wrappers": ["attacks", "attacks/constraints", "attacks/objectives"],
    "attacks/scaling": ["attacks"],
    "attacks/text": ["attacks", "attacks/behaviors", "attacks/objectives"],
    "attacks/loop": ["attacks"],
    "models": [],
    "models/tokenizer": ["models"],
    "models/checkpoint": ["models"],
    "models/preprocess": [],
    "models/chat_template": ["models", "models/chat_template/jinja"],
    "models/chat_template/jinja": [],
    "models/network": ["models", "models/checkpoint"],
    "models/prefix": ["models", "models/checkpoint", "models/network"],
    "models/activations": ["models", "models/checkpoint"],
    "models/sae": ["models", "models/checkpoint"],
    "models/endpoint": ["models"],
    "models/families": ["models", "models/checkpoint", "models/chat_template", "models/network", "models/prefix",
                        "models/preprocess"],
    "models/encoders": ["models", "models/checkpoint", "models/families", "models/network", "models/preprocess"],
    "models/load_model": ["models", "models/checkpoint", "models/encoders", "models/families", "models/network"],
    "defenses": [],
    "defenses/image": ["defenses"],
    "defenses/endpoint": ["defenses"],
    "defenses/text": ["defenses", "defenses/endpoint"],
    "defenses/decoding": ["defenses", "defenses/detectors", "defenses/text"],
    "defenses/votes": ["defenses"],
    "defenses/detectors": ["defenses", "defenses/endpoint", "defenses/image", "defenses/votes"],
    "defenses/make_defense": ["defenses", "defenses/decoding", "defenses/detectors", "defenses/image", "defenses/text", "defenses/votes"],
    "src/base": [],
    "src/pocket": [],
    "src/training": [],
    "src/experiment/plan": [],
    "src/experiment/record": ["src/experiment/plan"],
    "src/experiment/parallel": ["src/experiment/record"],
    "src/experiment/run": ["src/experiment/parallel", "src/experiment/plan", "src/experiment/record"],
    "src/experiment/evaluate": ["src/experiment/plan", "src/experiment/record", "src/experiment/run"],
    "src/experiment/inside": ["src/experiment/plan", "src/experiment/record", "src/experiment/run",
                              "src/experiment/report/values"],
    "src/experiment/report/values": ["src/experiment/plan", "src/experiment/record"],
    "src/experiment/report/aggregate": ["src/experiment/plan", "src/experiment/record", "src/experiment/report/values"],
    "src/experiment/report/sanity": ["src/experiment/plan", "src/experiment/record", "src/experiment/report/aggregate",
                                     "src/experiment/report/values"],
    "src/experiment/report/page": ["src/experiment/plan", "src/experiment/record", "src/experiment/report/aggregate",
                                   "src/experiment/report/sanity", "src/experiment/report/values"],
    "src/experiment/report": ["src/experiment/plan", "src/experiment/record", "src/experiment/report/aggregate",
                              "src/experiment/report/page", "src/experiment/report/sanity",
                              "src/experiment/report/values"],
    "src/serve": [],
    "src/cli": [],
}
FOLDER_RULES = {
    "src/base": [],
    "models": ["src/base"],
    "attacks": ["src/base", "models"],
    "defenses": ["src/base", "models"],
    "src/pocket": ["src/base", "models"],
    "src/training": ["src/base", "models", "attacks", "src/pocket"],
    "src/experiment": ["src/base", "models", "attacks", "defenses", "src/pocket"],
    "src/serve": ["src/base", "models"],
    "src/cli": ["src/base", "models", "attacks", "defenses", "src/pocket", "src/training", "src/experiment", "src/serve"],
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)
PRINTS = re.compile(r"std::c(?:out|err)\b|\b(?:std::)?(?:exit|abort)\(|\bprintf\(")
NO_FUNCTION = re.compile(r"\s*((namespace|struct|class|enum|union|extern|if|for|while|switch|do|else|try|catch|"
                         r"return|case|default)\b|//|#|\}|(const )?auto \w+ = \[)")
LAMBDA = re.compile(r"(?<!operator)\[[^\]]*\]\s*(\(|\{)")
HEAD_ENDS = re.compile(r"^\s*(//.*|#.*|\w+:)?$|[;{}]\s*(//.*)?$")


def sources(root, folder):
    return sorted(p for p in (root / folder).rglob("*") if p.suffix in (".h", ".cpp"))


def folder_of(path):
    return next((f for f in FOLDERS if path.startswith(f + "/")), "")


def room_of(path):
    stem = path.rsplit(".", 1)[0]
    return TOGETHER.get(stem, path.rsplit("/", 1)[0])


def functions(text):
    """(name, first line, lines) of each function that is defined in a file laid out by clang-format."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if not line.endswith("{") or NO_FUNCTION.match(line):
            continue
        first = number  # of the head, which may go over several lines
        while first > 0 and number - first < 16 and not HEAD_ENDS.search(lines[first - 1]):
            first -= 1
        head = " ".join(lines[first:number + 1])
        if NO_FUNCTION.match(head) or LAMBDA.search(head) or "(" not in head or re.search(r"\)\s*(mutable\s*)?(->\s*\S+\s*)?\{$", head) is None \
                and not re.search(r"\)\s*(const|override|noexcept|&|\s)*\{$", head):
            continue
        indent = re.match(r"\s*", lines[first]).group()
        end = next((n for n in range(number + 1, len(lines)) if lines[n] == indent + "}"), None)
        if end is not None:
            name = re.search(r"([\w:~]+|operator\W+)\s*\(", head)
            yield (name.group(1) if name else head.strip(), first + 1, end - first + 1)


class Code:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.files = {str(p.relative_to(self.root)): p.read_text(errors="replace")
                      for folder in FOLDERS for p in sources(self.root, folder)}
        others = [p for folder in ("tests", "samples") for p in (self.root / folder).rglob("*")
                  if p.suffix in (".h", ".cpp", ".py", ".sh")]
        self.others = {str(p.relative_to(self.root)): p.read_text(errors="replace") for p in sorted(others)}
        self.arrows = {}
        for file, text in self.files.items():
            for include in INCLUDE.findall(text):
                if folder_of(include) and room_of(include) != room_of(file):
                    self.arrows.setdefault((room_of(file), room_of(include)), []).append((file, include))

    def layers(self, within):
        """Rooms of a folder by the longest way down, or a circle as a list."""
        below = {}
        for a, b in self.arrows:
            if a != b and folder_of(a + "/") == within and folder_of(b + "/") == within:
                below.setdefault(a, set()).add(b)
        depth, open_ = {}, []

        def visit(room):
            if room in open_:
                raise ValueError(" -> ".join(open_[open_.index(room):] + [room]))
            if room not in depth:
                open_.append(room)
                depth[room] = 1 + max((visit(b) for b in sorted(below.get(room, ()))), default=0)
                open_.pop()
            return depth[room]

        for room in sorted({room_of(f) for f in self.files if folder_of(f) == within}):
            visit(room)
        return depth

    def breaches(self):
        for (a, b), places in sorted(self.arrows.items()):
            fa, fb = folder_of(a + "/"), folder_of(b + "/")
            allowed = b in ROOM_RULES.get(a, []) if fa == fb else fb in FOLDER_RULES[fa]
            for file, include in places if not allowed else []:
                yield f"{file} includes {include}, but {a} may not know {b}"
        for file, text in self.files.items():
            if room_of(file) not in ROOM_RULES:
                yield f"{file} lies in {room_of(file)}, a room without rules: add it to ROOM_RULES"
            for include in INCLUDE.findall(text):
                if not folder_of(include):
                    yield f'{file} includes "{include}": write it from the project\'s root'
            if folder_of(file) != "src/cli" and PRINTS.search(text):
                yield f"{file} uses {PRINTS.search(text).group()}: throw Error and return results"
        for folder in FOLDERS:
            try:
                self.layers(folder)
            except ValueError as circle:
                yield f"a circle: {circle}"
        for file, text in {**self.files, **self.others}.items():
            if text.count("\n") > MOST_FILE_LINES:
                yield f"{file} has {text.count(chr(10))} lines; the most is {MOST_FILE_LINES}"
        for file, text in self.files.items():
            for name, line, length in functions(text):
                if length > MOST_FUNCTION_LINES:
                    yield f"{file}:{line}: {name} has {length} lines; the most is {MOST_FUNCTION_LINES}"


def check(code):
    breaches = list(code.breaches())
    print("\n".join(breaches) or f"{len(code.files)} files keep to the rules")
    return 1 if breaches else 0


def figures(code):
    print("| folder | files | rooms | most files of a room | layers | arrows inside | longest file | longest function |")
    print("|---|---|---|---|---|---|---|---|")
    for folder in FOLDERS:
        files = {f: t for f, t in code.files.items() if folder_of(f) == folder}
        rooms = {}
        for file in files:
            rooms[room_of(file)] = rooms.get(room_of(file), 0) + 1
        try:
            layers = str(max(code.layers(folder).values()))
        except ValueError as circle:
            layers = f"circle {circle}"
        arrows = {(a, b) for a, b in code.arrows if folder_of(a + "/") == folder_of(b + "/") == folder}
        longest = max(files, key=lambda f: files[f].count("\n"))
        function = max(((n, l) for f in files for n, _, l in functions(files[f])), key=lambda x: x[1], default=("", 0))
        biggest = max(rooms, key=rooms.get)
        print(f"| {folder} | {len(files)} | {len(rooms)} | {rooms[biggest]} ({biggest}) | {layers} | {len(arrows)} | "
              f"{files[longest].count(chr(10))} ({longest.rsplit('/', 1)[1]}) | {function[1]} ({function[0]}) |")
    over = sum(length > MOST_FUNCTION_LINES for t in code.files.values() for _, _, length in functions(t))
    print(f"\nFunctions over {MOST_FUNCTION_LINES} lines: {over}.")


def self_test(_):
    planted = {
        "models/network/a.cpp": '#include "models/families/b.h"\n',
        "attacks/optimizers/a.cpp": '#include "attacks/objectives/b.h"\n',
        "src/experiment/record/a.cpp": '#include "src/experiment/run/b.h"\n',
        "attacks/loop/a.cpp": '#include "defenses/defense.h"\n',
        "attacks/text/a.cpp": '#include "b.h"\n',
        "defenses/kitchen/a.cpp": "\n",
        "models/checkpoint/a.cpp": 'void f() { std::cout << "x"; }\n',
        "src/base/a.cpp": "\n" * (MOST_FILE_LINES + 1),
        "tests/golden/a.py": "\n" * (MOST_FILE_LINES + 1),
        "src/pocket/a.cpp": "int f(int a) {\n" + "  ++a;\n" * MOST_FUNCTION_LINES + "}\n",
    }
    for name, text in planted.items():
        with tempfile.TemporaryDirectory() as root:
            for folder in FOLDERS:
                (pathlib.Path(root) / folder).mkdir(parents=True, exist_ok=True)
            assert list(Code(root).breaches()) == [], "an empty tree has no breaches"
            file = pathlib.Path(root) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            found = [b for b in Code(root).breaches() if b.startswith(name)]
            assert len(found) == 1, f"{name} was not found out: {found}"
    print(f"{len(planted)} planted breaches were found")
    for words, code, says in ((["--help"], 0, "a line for each breach"), (["chek"], 2, "chek is neither a command"),
                              (["chek", "."], 2, "chek is neither a command"), (["check", "/nowhere"], 2, "/nowhere is no tree")):
        ran = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True)
        text = ran.stdout + ran.stderr
        assert ran.returncode == code and says in text and "Traceback" not in text, f"{words}: {ran.returncode} {text}"


COMMANDS = {"figures": figures, "check": check, "self-test": self_test}


def refuse(sentence):
    print(sentence, file=sys.stderr)
    sys.exit(2)


def arguments_of(words):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     usage="structure_test.py [figures | check | self-test] [ROOT]")
    parser.add_argument("command", nargs="?", default="figures", help="figures, check or self-test; figures by default")
    parser.add_argument("root", nargs="?", metavar="ROOT", help="the tree; by default the one that this file lies in")
    options = parser.parse_args(words)
    if options.root is None and pathlib.Path(options.command).is_dir() and options.command not in COMMANDS:
        options.command, options.root = "figures", options.command
    if options.command not in COMMANDS:
        refuse(f"{options.command} is neither a command nor a folder: say figures, check or self-test (--help)")
    options.root = pathlib.Path(options.root or pathlib.Path(__file__).resolve().parents[2])
    if not (options.root / "src").is_dir():
        refuse(f"{options.root} is no tree of this project: it has no folder src")
    return options


def main(words):
    options = arguments_of(words)
    return COMMANDS[options.command](Code(options.root) if options.command != "self-test" else None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
