"""Money: the counter, the bank, refunds, disagreements, papers and closing."""
