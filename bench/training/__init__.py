"""What methods and tasks share: nets, batches, optimisers, global state.

Imports torch; imported in workers only.
"""
