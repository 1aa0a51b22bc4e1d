"""The column of the card terminals: lines, plug-ins and one station per terminal."""
