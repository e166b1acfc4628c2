"""Other tools beside ours: scripts that need environments of their own, and make published tables."""
