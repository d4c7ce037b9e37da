"""Stories: many people, real providers, everything going wrong; told in the words of the trade."""
