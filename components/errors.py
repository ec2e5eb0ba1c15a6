"""Mistakes of users. A leaf: imports nothing of Graft."""


class UserError(ValueError):
    """Something that the user gave cannot be used; the text says what, why, and what is right.

    Every other exception is the surroundings' doing (OSError: disk, permission, connection) or a
    bug of Graft. Pydantic's validators raise plain ValueError, which it words itself.
    """
