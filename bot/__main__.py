"""`python -m bot` is `mingzhang`."""

from bot.cli import main

main(prog_name="mingzhang")
