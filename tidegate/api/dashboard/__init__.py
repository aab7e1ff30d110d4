"""The dashboard: pages that the controller serves beside its API, for people who decide by looking."""
