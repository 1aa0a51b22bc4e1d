"""The column of the cash registers: MQTT in, documents out."""
