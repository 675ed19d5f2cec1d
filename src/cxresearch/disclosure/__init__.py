"""What may be told: counts too small to be shown, and the others that would give them away."""
