"""The notebook that this project grew from, re-examined: each of its ten defects, measured or computed.

`python -m tests.studies.notebook make FOLDER` computes, measures and writes the page. It stands above both
packages: it builds `dyrelu`'s networks, counts with `bench`, and has layers of its own that repeat the
notebook's mistakes. It is run from a clone and not installed, since its page and the logs that it reads are
there.
"""
