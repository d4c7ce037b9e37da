"""Direct debit (托收): the owner's mandate, the file to the bank, the file that comes back."""
