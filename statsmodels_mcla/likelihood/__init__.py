"""likelihood."""

__all__ = []
