"""The wire to the broker: client, connection, messages, TLS."""
