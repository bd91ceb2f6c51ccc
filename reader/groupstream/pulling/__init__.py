"""Bringing a version, or some of it, to this machine. `version` is where to begin reading."""
