"""Which of the registered methods search at initialisation. A module of its own: who asks for it needs no method."""

WITHOUT_TRAINING = ("nasi",)
"""They are given a ``nasi.start.Start`` in the place of an evaluator, and their scores are on scales of their own."""
