"""Master data, opening balances and readings from Excel. See README.md."""
