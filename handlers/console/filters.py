"""What templates of the console may call besides the filters of all templates."""

from handlers.console.lists import cell, is_number

FILTERS = {"cell": cell}
TESTS = {"figure": is_number}
