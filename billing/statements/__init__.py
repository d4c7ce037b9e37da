"""Bank statements: read from any bank's file, matched with homes, booked once."""
