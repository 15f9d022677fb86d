"""Raw dialogues turned into examples: roles, text forms, readings, splits, tokens."""
