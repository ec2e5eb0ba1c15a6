"""Labels as training sees them: alone, or in front of a teacher's answers."""


def labels_of(targets):
    """The labels [batch] in targets, or in labels [batch] or [batch, 1]."""
    return targets[:, 0] if len(targets.shape) == 2 else targets
