"""What happens, in order. No arithmetic, no I/O."""
