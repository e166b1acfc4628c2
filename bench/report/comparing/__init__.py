"""A comparison as text, tables and a plot: one renderer a module, each of which returns what it makes.

Nothing is imported here: a verb imports the renderers that it was asked for.
"""
