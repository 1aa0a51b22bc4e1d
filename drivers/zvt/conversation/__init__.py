"""ZVT conversations: who says what, when. Pure."""
