"""Things that pretend: terminals, shopper, cable, back office, provider, register."""
