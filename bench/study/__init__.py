"""The gate study: how often each rule is wrong, and what it finds, on the noise of real sessions.

`python -m bench.study collect` measures one thing against itself, again and again; `python -m bench.study
report` remakes the page from what that left behind. It stands after everything else and nothing needs it:
the study judges the instrument with the instrument's own functions.
"""
