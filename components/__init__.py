"""TFX components of Graft: a package each, and beside them the leaves that they share."""
