"""How pages are made, kept and published."""
