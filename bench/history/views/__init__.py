"""A history as text or figures: each module has one view, which returns it and writes nothing.

They are imported one by one: pandas and matplotlib, which only files need, take longer than all the rest.
"""
