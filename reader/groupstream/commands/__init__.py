"""The commands of `groupstream`, one a file. Heavy imports stand inside the functions: --help must be instant."""
