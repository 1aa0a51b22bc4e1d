"""The scenes of the demo, by theme. Each says what must come of it, and holds it to that.

counter     what happens every day     gift_cards   value that lives in the back office
misfortune  what may go wrong
"""
