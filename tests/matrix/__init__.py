"""Everything the back office can do wrong, against every step that moves a gift card's money."""
