"""Whether a published folder holds what it says: its files, its training runs, its figures. Needs no Paddle.

A folder is sealed by a manifest, `MANIFEST.json`: the digest of every file, and which training runs there
have to be. What can be recomputed is recomputed as well, so that a figure that was edited before the sealing
is found too. Nothing here can tell whether a whole folder, raw samples and all, was made up.
"""

from bench.verify.findings import Findings
from bench.verify.folder import seal_folder, verify_folder
from bench.verify.manifest import MANIFEST_FILE

__all__ = ["MANIFEST_FILE", "Findings", "seal_folder", "verify_folder"]
