"""The format of Re:infer: labels, entities and comments of texts; requests and validation figures."""
