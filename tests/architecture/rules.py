"""The rules of the architecture, as functions from a syntax tree to what is wrong with it.

Each rule takes a module's dotted name and its tree, and yields one sentence per violation, so that
a test can feed it a bad snippet as well as the real files.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# What a driver may know of the world: values and bytes, nothing that opens, waits or logs.
DRIVER_MODULES = frozenset(
    {"__future__", "abc", "collections", "dataclasses", "enum", "functools", "itertools"}
    | {"operator", "re", "string", "struct", "typing"}
)

# What bridge and drivers share: the contract, and how amounts are written.
SHARED_WITH_DRIVERS = frozenset({"drivers.contract", "drivers.amounts"})
DRIVER_FOLDERS = frozenset({"codec", "mapping", "conversation"})
FOR_ALL_DRIVERS = frozenset(
    {"__init__.py", "amounts.py", "conformance.py", "contract.py", "script.py"}
)

COLUMNS = frozenset({"register", "terminal", "discovery", "backoffice", "console"})
BEHAVIORS = frozenset(
    {
        "bridge.register.commands.router",
        "bridge.terminal.station",
        "bridge.backoffice.purchase_recorder",
        "bridge.backoffice.gift_cards.payment_method",
    }
)
# Who may import whom in the bridge, by room: a folder, or a module that lies beside them. A module
# belongs to the longest of these names that its own begins with; a room's modules know each other.
_ROOMS: dict[str, tuple[str, ...]] = {
    # addresses and a version; nothing of what is said there
    "register.lines": (),
    "register.mqtt": (
        *("private_files", "register.api.fields", "register.api.topics", "register.lines"),
    ),
    "register.api": ("money.amounts", "money.payment.state"),
    "register.api.published": ("register.api",),
    "register.receipts": ("money", "register.api"),
    "register.outbox": ("register.api", "register.lines", "register.mqtt.messages"),
    "register.commands": (
        *("money", "register.api", "register.mqtt.messages"),
        *("register.outbox", "register.receipts"),
    ),
    "register.publishing": ("money", "register.api", "register.outbox", "register.receipts"),
    "terminal": ("money",),
    "terminal.plugins": ("config",),
    "discovery": ("terminal",),
    "backoffice.http_exchange": (),
    "backoffice.login": ("backoffice.http_exchange", "private_files"),
    "backoffice.api": ("backoffice.http_exchange",),
    "backoffice.gift_cards": ("backoffice.api", "money"),
    "backoffice.terminal_payments": ("backoffice.api",),
    "backoffice.purchase_recorder": ("backoffice.api", "money"),
    # what only reads there, and moves no money
    "backoffice.store_check": ("backoffice.api",),
    "backoffice.item_copy": ("backoffice.api", "money.lookup", "private_files"),
    "backoffice.sale_facts": ("backoffice.item_copy", "money.lookup"),
    "backoffice.inquiries": (
        *("backoffice.api", "backoffice.item_copy", "backoffice.sale_facts", "money.lookup"),
    ),
    "backoffice.reading": (
        *("backoffice.api", "backoffice.inquiries", "backoffice.item_copy"),
        *("backoffice.sale_facts", "backoffice.store_check"),
    ),
    # the middle
    "money": ("money.payment", "money.store"),
    "money.payment": ("money.purchase",),
    "money.store": (
        *("money.coverage", "money.gift_card_code", "money.payment", "money.purchase"),
        "money.terminal_batch",
        "private_files",
    ),
    "money.background": ("money.ledger", "money.payment", "money.split_payment", "money.store"),
    # what people are shown of the journal
    "reports": ("money", "private_files"),
    # beside them: what knows nothing of the columns
    "clock": (),
    "config": (),
    "errors": (),
    "log": (),
    "private_files": (),
    "systemd": (),
    # and what joins them
    "release": ("money.store",),
    "takeover": ("money", "register.mqtt"),
    "purchase_answers": ("money",),
    "control": ("money", "purchase_answers", "register.commands", "takeover"),
    "status": ("money", "register.api", "terminal"),
    "settings": ("backoffice", "config", "register", "terminal"),
    # the operator console, and what stands behind it
    "console": ("money", "private_files", "register.api", "reports"),
    "login_desk": ("backoffice.login", "console.sources"),
    "operator_desk": (
        *("console.sources", "control", "login_desk", "money"),
        *("register", "status", "terminal"),
    ),
    "console_assembly": ("",),
    "adapters": (
        *("backoffice", "money", "private_files", "register"),
        *("settings", "status", "takeover", "terminal"),
    ),
    "assembly": ("",),
    "monitoring": ("money",),
    "monitoring.build": ("",),
    "service": ("",),
    "cli": ("",),
    "__main__": ("cli",),
}
ROOMS = {
    f"bridge.{room}": frozenset(f"bridge.{name}".rstrip(".") for name in neighbors)
    for room, neighbors in _ROOMS.items()
}
FOR_ALL = frozenset({"bridge.errors", "bridge.log", "bridge.__version__"})
# A module of a column that imports one of these is a wire: it knows how to talk, decides nothing.
WIRE_LIBRARIES = frozenset({"aiomqtt", "httpx", "paho", "serial", "socket", "ssl", "uvicorn"})
COMPOSERS = frozenset(
    {"bridge.service", "bridge.assembly", "bridge.adapters", "bridge.settings", "bridge.cli"}
    | {"bridge.console_assembly", "bridge.monitoring.build"}
)
# Tasks are born, and awaited, here only.
STARTERS = frozenset({"bridge.service"})
SPEAKERS = frozenset({"bridge.cli"})  # talks to a person at a terminal
# Run a whole store as processes; only the command line may start them.
PLAYERS = frozenset({"simulators.demo", "simulators.conformance"})
COMMAND_LINE = frozenset({"bridge.cli"})

# Files that say nothing about what is inside them collect everything.
EMPTY_NAMES = frozenset({"utils", "util", "helpers", "helper", "manager", "base", "common", "misc"})

# Passed in by a composer instead, so that a simulated world can decide them.
CLOCKS_AND_IDS = frozenset(
    {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "uuid.uuid1", "uuid.uuid4"}
)

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module, or name in a module, and the line it stands on."""

    name: str
    line: int

    def is_of(self, package: str) -> bool:
        """Tell whether this imports `package` or something in it."""
        return self.name == package or self.name.startswith(f"{package}.")


def sources(root: Path, package: str) -> dict[str, str]:
    """Return the modules below a top-level folder by dotted name; none without the folder."""
    found = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        found[name] = path.read_text(encoding="utf-8")
    return found


def imports(module: str, tree: ast.AST) -> list[Import]:
    """Return everything that is imported, dotted and absolute, also inside functions."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                package = module.split(".")[: -node.level]
                origin = ".".join([*package, origin] if origin else package)
            found += [Import(f"{origin}.{alias.name}", node.lineno) for alias in node.names]
    return found


def drivers_are_pure(module: str, tree: ast.AST) -> Iterator[str]:
    """Yield what a driver imports beside values, bytes and drivers."""
    for each in imports(module, tree):
        if _root(each.name) not in DRIVER_MODULES | {"drivers"}:
            yield f"{module}:{each.line} a driver imports {each.name}"


def simulators_know_codecs_only(module: str, tree: ast.AST) -> Iterator[str]:
    """Yield where a simulator imports the bridge, or more of a driver than its codec."""
    if _is_in(module, PLAYERS):
        return
    for each in imports(module, tree):
        if each.is_of("bridge") or each.is_of("tests") or _is_in(each.name, PLAYERS):
            yield f"{module}:{each.line} a simulator imports {each.name}"
        is_driver = each.is_of("drivers") and not each.is_of("drivers.contract")
        if is_driver and each.name.split(".")[2:3] != ["codec"]:
            yield f"{module}:{each.line} a simulator imports {each.name}, which is no codec"


def bridge_knows_no_protocol(module: str, tree: ast.AST) -> Iterator[str]:
    """Yield where the bridge imports simulators, tests, or a driver by name."""
    for each in imports(module, tree):
        may_play = _is_in(module, COMMAND_LINE) and _is_in(each.name, PLAYERS)
        if each.is_of("tests") or (each.is_of("simulators") and not may_play):
            yield f"{module}:{each.line} the bridge imports {each.name}"
        if each.is_of("drivers") and not _is_in(each.name, SHARED_WITH_DRIVERS):
            yield f"{module}:{each.line} the bridge imports the driver {each.name}"


def driver_folders_are_alike(paths: Iterable[str]) -> Iterator[str]:
    """Yield what a driver's folder lacks or has besides; `paths` of modules begin below `drivers/`.

    A driver is its door, its settings and three folders. What lies beside the drivers is for all
    of them, and there is not much of that.
    """
    found: dict[str, set[str]] = {}
    for path in paths:
        driver, _, rest = path.partition("/")
        if rest:
            found.setdefault(driver, set()).add(rest.partition("/")[0])
        elif path not in FOR_ALL_DRIVERS:
            yield f"drivers/{path} is of one driver, or for none"
    for driver, parts in sorted(found.items()):
        expected = {"__init__.py", "settings.py", *DRIVER_FOLDERS}
        yield from (f"drivers/{driver} lacks {part}" for part in sorted(expected - parts))
        yield from (f"drivers/{driver} has {part}" for part in sorted(parts - expected))


def money_knows_no_column(module: str, tree: ast.AST) -> Iterator[str]:
    """Yield where the middle imports a column, a composer or a library of a wire."""
    if not module.startswith("bridge.money"):
        return
    for each in imports(module, tree):
        if _root(each.name) in WIRE_LIBRARIES or _column(each.name) or _is_in(each.name, COMPOSERS):
            yield f"{module}:{each.line} money imports {each.name}"


def columns_know_only_themselves_and_money(module: str, tree: ast.AST) -> Iterator[str]:
    """Yield where a column imports another one, or a composer."""
    own = _column(module)
    if not own:
        return
    for each in imports(module, tree):
        if (own, _column(each.name)) == ("discovery", "terminal"):
            continue  # it opens the same lines, to see who answers
        if own == "console" and each.is_of("bridge.register.api"):
            continue  # it shows the documents that registers see
        if _column(each.name) not in {"", own} or _is_in(each.name, COMPOSERS):
            yield f"{module}:{each.line} {own} imports {each.name}"


def room_of(module: str) -> str:
    """Return the room that a module, or a name in it, belongs to; "" where there is none."""
    return max((room for room in ROOMS if _is_in(module, frozenset({room}))), key=len, default="")


def every_room_has_its_neighbors(module: str, tree: ast.AST) -> Iterator[str]:
    """Yield a module that lies in no room, and what it imports from rooms that its own must not."""
    room = room_of(module)
    if not room and not any(other.startswith(f"{module}.") for other in ROOMS):
        yield f"{module} lies in no room; say in ROOMS what it may import"
    for each in imports(module, tree):
        if (
            each.is_of("bridge")
            and not _is_in(each.name, ROOMS.get(room, frozenset()) | FOR_ALL)
            and (room_of(each.name) != room)
        ):
            yield f"{module}:{each.line} {room} imports {each.name}"


def circles(trees: Mapping[str, ast.AST]) -> list[list[str]]:
    """Return the groups of modules that import each other, directly or over others."""
    knows: dict[str, set[str]] = {}
    for module, tree in trees.items():
        names = {each.name for each in imports(module, tree)}
        names |= {name.rpartition(".")[0] for name in names if name not in trees}
        knows[module] = names & trees.keys() - {module}
    reach = {module: _reached(module, knows) for module in knows}
    groups = {
        tuple(sorted(other for other in reach[module] if module in reach[other]))
        for module in knows
        if module in reach[module]
    }
    return [list(group) for group in sorted(groups)]


def _reached(module: str, knows: Mapping[str, set[str]]) -> set[str]:
    """Return every module that one imports, directly or over others."""
    found: set[str] = set()
    ahead = set(knows[module])
    while ahead:
        found |= ahead
        ahead = {further for name in ahead for further in knows[name]} - found
    return found


def is_wire(module: str, tree: ast.AST) -> bool:
    """Tell whether a module of a column talks to the outside itself."""
    found = imports(module, tree)
    return bool(_column(module)) and any(_root(each.name) in WIRE_LIBRARIES for each in found)


def behavior_knows_no_wire(
    module: str, tree: ast.AST, wires: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Yield where a behavior imports a wire (one of `wires`, or a library), or is imported by one.

    That only a composer imports both follows for every other module, too.
    """
    found = imports(module, tree)
    talks = [each for each in found if _is_in(each.name, wires)]
    behaves = [each for each in found if _is_in(each.name, BEHAVIORS)]
    if _is_in(module, BEHAVIORS):
        talks += [each for each in found if _root(each.name) in WIRE_LIBRARIES]
        yield from (f"{module}:{each.line} a behavior imports {each.name}" for each in talks)
    elif is_wire(module, tree):
        yield from (f"{module}:{each.line} a wire imports {each.name}" for each in behaves)
    elif talks and behaves and not _is_in(module, COMPOSERS):
        yield f"{module} joins {talks[0].name} and {behaves[0].name}; only a composer may"


def time_chance_and_tasks_are_passed_in(module: str, tree: ast.AST) -> Iterator[str]:
    """Yield what a simulated world could not answer, and tasks that nobody would await."""
    found = imports(module, tree)
    composes = _is_in(module, COMPOSERS)
    for each in found:
        if _root(each.name) == "time" and not composes:
            yield f"{module}:{each.line} imports {each.name}; use loop.time() or a parameter"
        if each.name.startswith("random.") and not _is_source_of_chance(module, each.name):
            yield f"{module}:{each.line} imports {each.name}; take a random.Random"
        if each.name == "asyncio.wait_for":
            yield f"{module}:{each.line} wait_for swallows cancellation; use asyncio.timeout"
        if each.name in CLOCKS_AND_IDS and not composes:
            yield f"{module}:{each.line} imports {each.name}; take it as a parameter"
    knows_random = any(each.name == "random" for each in found)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield from _banned_attribute(module, node, knows_random=knows_random)


def only_the_command_line_prints(module: str, tree: ast.AST) -> Iterator[str]:
    """Yield calls of print() in a service, whose output nobody reads."""
    for node in ast.walk(tree):
        if _is_in(module, SPEAKERS) or not isinstance(node, ast.Call):
            continue
        if ast.unparse(node.func) == "print":
            yield f"{module}:{node.lineno} prints; log it"


def names_say_what_is_inside(path: str) -> Iterator[str]:
    """Yield a file or folder name that would fit any content."""
    for part in path.removesuffix(".py").split("/"):
        if part.lower() in EMPTY_NAMES:
            yield f"{path}: call it by what it holds, not {part}"


def over_budget(path: str, source: str) -> Iterator[str]:
    """Yield files and functions that are long enough to look at again."""
    lines = source.count("\n")
    if lines > FILE_LINES_MAX:
        yield f"{path}: {lines} lines"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                yield f"{path}:{node.lineno} {node.name}: {length} lines"


def _banned_attribute(module: str, node: ast.Attribute, *, knows_random: bool) -> Iterator[str]:
    dotted = ast.unparse(node)
    last_two = ".".join(dotted.split(".")[-2:])
    if last_two in CLOCKS_AND_IDS and not _is_in(module, COMPOSERS):
        yield f"{module}:{node.lineno} uses {dotted}; take it as a parameter"
    if last_two == "asyncio.wait_for":
        yield f"{module}:{node.lineno} wait_for swallows cancellation; use asyncio.timeout"
    is_chance = knows_random and dotted.startswith("random.")
    if is_chance and not _is_source_of_chance(module, dotted):
        yield f"{module}:{node.lineno} uses {dotted}; take a random.Random"
    if node.attr in {"create_task", "ensure_future"} and not _is_in(module, STARTERS):
        yield f"{module}:{node.lineno} uses {dotted}; only the service starts tasks"


def _is_source_of_chance(module: str, name: str) -> bool:
    """Tell whether `name` is a type to be passed in, or what a composer passes."""
    return name == "random.Random" or (name == "random.SystemRandom" and _is_in(module, COMPOSERS))


def _root(name: str) -> str:
    return name.partition(".")[0]


def _column(module: str) -> str:
    parts = module.split(".")
    return parts[1] if parts[0] == "bridge" and len(parts) > 1 and parts[1] in COLUMNS else ""


def _is_in(name: str, packages: frozenset[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in packages)
