"""A version as large as FedC4, without its examples: what each part that sees all groups takes, and how it grows."""
