"""Concert and Caisse-AP conversations. Pure."""
