"""ZVT, the German register interface of card terminals (PA00P015 and PA00P016)."""
