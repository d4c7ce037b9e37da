"""The house's rules that a linter does not know. Each failure says what to do and why."""

import ast
import enum
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import bot.schema
from billing.labels import LabelEnum
from bot.settings import Settings
from notify.catalog import NOTICES

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("billing", "notify", "handlers", "bot")
PACKAGES = (*PRODUCT, "sandbox")
FUNCTION_LINES_MAX = 70
MODULE_LINES_MAX = 400
CHINESE = re.compile(r"[\u4e00-\u9fff]")
CHINESE_WELCOME = (
    "billing/pricing/explain.py",  # renders the arithmetic in the product's language
    "billing/masking.py",  # the grammar of what it hides
    "notify/wording.py",  # how dates are written: the filters templates call
    "bot/understanding/",  # the grammar of the language it reads
    "bot/demo/",  # invented people and places
)


def modules(packages: tuple[str, ...] = PACKAGES) -> Iterator[tuple[str, ast.Module]]:
    """(path relative to the root, syntax tree) of every module but migrations."""
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            relative = path.relative_to(ROOT).as_posix()
            if "/migrations/" not in relative:
                yield relative, ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Dotted names that are called, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


def test_functions_are_short() -> None:
    """A function one can see at once is a function one can check."""
    long = [
        f"{path}:{node.lineno} {node.name}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert long == [], "split by what it does"


def test_modules_are_short() -> None:
    """A module that grows past this has become two rooms."""
    long = [
        f"{path.relative_to(ROOT)}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "migrations" not in path.parts
        and len(path.read_text(encoding="utf-8").splitlines()) > MODULE_LINES_MAX
    ]
    assert long == [], "split by verb, not into utils"


def test_no_float_and_no_division_touches_money() -> None:
    """Fen are divided by split() and nothing else; a float loses fen."""
    found = []
    for path, tree in modules(("billing",)):
        found += [f"{path}:{line}" for name, line in calls(tree) if name == "float"]
        found += [
            f"{path}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.BinOp)
            and isinstance(node.op, ast.Div | ast.FloorDiv)
            and "fen" in ast.unparse(node)
            and not path.endswith("billing/money.py")
        ]
    assert found == [], "use round_to_fen or split"


def test_clock_and_environment_are_passed_in() -> None:
    """What reads the clock or the environment by itself cannot be tested at another time or
    place.
    """
    allowed = {"bot/program.py", "bot/embedded/", "bot/cli/", "bot/demo/"}
    banned = re.compile(
        r"(^|\.)(datetime\.now|datetime\.utcnow|date\.today|datetime\.today|time\.time)$"
        r"|^os\.(getenv|environ)"
    )
    found = [
        f"{path}:{line} {name}"
        for path, tree in modules(PRODUCT)
        if not path.startswith(tuple(allowed))
        for name, line in calls(tree)
        if banned.search(name)
    ]
    assert found == [], "take `now`, `today` or a setting as a parameter"


def test_nobody_commits_but_the_door() -> None:
    """Returning commits, raising rolls back: `Database.transaction` is the only place that knows
    how.
    """
    found = [
        f"{path}:{line}"
        for path, tree in modules(PRODUCT)
        if path not in {"billing/db.py", "billing/bill_run.py", "bot/schema.py"}
        for name, line in calls(tree)
        if name.endswith((".commit", ".rollback"))
    ]
    assert found == [], "open a transaction at the door instead"


def test_a_locked_row_is_read_as_it_is_after_waiting() -> None:
    """`session.get` with a lock waits for the row, and without `populate_existing` then hands out
    what the session knew of it before: two who decide at once both find it undecided.
    """
    found = [
        f"{path}:{node.lineno}"
        for path, tree in modules(PRODUCT)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".get", ".get_one"))
        for asked in [{word.arg: ast.unparse(word.value) for word in node.keywords}]
        if asked.get("with_for_update") == "True" and "populate_existing" not in asked
    ]
    assert found == []


def test_every_setting_is_documented() -> None:
    """A setting nobody can find is a support call."""
    source = (ROOT / "bot" / "settings.py").read_text(encoding="utf-8")
    names = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', source))
    assert len(names) >= len(Settings.__dataclass_fields__) - 1
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert sorted(name for name in names if f"`{name}`" not in readme) == []


def test_every_notice_has_its_words_and_all_words_are_used() -> None:
    """A kind without a template fails at night; a template without a kind is dead."""
    folders = {path.name for path in (ROOT / "templates" / "notices").iterdir() if path.is_dir()}
    assert folders == {kind.value for kind in NOTICES}


def product_enums() -> Iterator[type[LabelEnum]]:
    """Every enum of the product that people read."""
    for package in PRODUCT:
        for found in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if ".migrations" in found.name or found.name.endswith("__main__"):
                continue
            module = importlib.import_module(found.name)
            for _, member in inspect.getmembers(module, inspect.isclass):
                if issubclass(member, LabelEnum) and member is not LabelEnum:
                    yield member


def test_every_enum_member_has_a_chinese_label() -> None:
    """What is stored is a code; what is shown is its label."""
    found = [
        f"{type(member).__name__}.{member.name}"
        for members in set(product_enums())
        for member in members
        if not CHINESE.search(member.label)
    ]
    assert found == []


def docstrings(tree: ast.Module) -> set[int]:
    """Ids of the constants that are docstrings."""
    return {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }


def in_label_enums(tree: ast.Module) -> set[int]:
    """Ids of everything inside an enum that carries labels."""
    return {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any("LabelEnum" in ast.unparse(base) for base in node.bases)
        for inner in ast.walk(node)
    }


def comments_of_tables(tree: ast.Module) -> set[int]:
    """Ids of table and column comments, which quote the trade's terms for whoever reads the
    schema.
    """
    return {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword | ast.Dict)
        for inner in (
            [node.value]
            if isinstance(node, ast.keyword) and node.arg == "comment"
            else [
                value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and key.value == "comment"
            ]
            if isinstance(node, ast.Dict)
            else []
        )
    }


def test_chinese_lives_in_templates_and_labels() -> None:
    """Words people read are edited in one place, by people who do not program."""
    found = []
    for path, tree in modules(PRODUCT):
        if path.startswith(CHINESE_WELCOME):
            continue
        welcome = docstrings(tree) | in_label_enums(tree) | comments_of_tables(tree)
        found += [
            f"{path}:{node.lineno} {node.value[:20]}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and CHINESE.search(node.value)
            and id(node) not in welcome
        ]
    assert found == [], "move it to templates/ or to an enum label"


def test_every_table_says_what_it_is() -> None:
    """The schema is read by people with psql and no source code."""
    tables = bot.schema.metadata().tables.values()
    assert [table.name for table in tables if not table.comment] == []


def test_growing_tables_are_led_by_their_community() -> None:
    """One community's rows live together and can be partitioned."""
    global_tables = {
        "alert",
        "api_call",
        "api_token",
        "audit_entry",
        "binding_attempt",
        "community",
        "delivered_message",
        "discrepancy",
        "follower",
        "heard",
        "merchant_account",
        "notice_preference",
        "notice_route",
        "notice_template",
        "provider_order",
        "public_holiday",
        "reconciliation",
        "staff",
        "staff_credential",
        "staff_session",
        "subscription_consent",
        "webhook",
    }
    found = [
        table.name
        for table in bot.schema.metadata().tables.values()
        if table.name not in global_tables
        and next(iter(table.primary_key.columns)).name != "community_id"
    ]
    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_explains_its_rooms(package: str) -> None:
    """A newcomer reads the README of the room first."""
    assert (ROOT / package / "README.md").exists()


def test_top_level_holds_nothing_else() -> None:
    """The user's design card fixes the top level."""
    welcome = {
        "bot", "handlers", "billing", "notify", "templates", "tests", "sandbox", "benchmarks",
        "wsgi.py", "pyproject.toml", "README.md", "Makefile", "constraints.txt", "LICENSE",
        "CHANGELOG.md", ".ci", ".git", ".gitignore",
    }  # fmt: skip
    ignored = {".venv", "var", "build", "dist"}
    found = {
        path.name
        for path in ROOT.iterdir()
        if not path.name.startswith(".") or path.name == ".ci"
        if not path.name.endswith(".egg-info")
    }
    assert found - welcome - ignored == set()


def test_enums_that_people_read_are_label_enums() -> None:
    """A stored enum without a label would show its code to an owner."""
    found = [
        f"{table.name}.{column.name}"
        for table in bot.schema.metadata().tables.values()
        for column in table.columns
        if isinstance(getattr(column.type, "enum_class", None), enum.EnumMeta)
        and not issubclass(column.type.enum_class, LabelEnum)
    ]
    assert found == []
