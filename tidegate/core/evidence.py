"""Evidence as it is said, everywhere alike."""

from __future__ import annotations

HUGE = 1e6


def say_evidence(evidence: float) -> str:
    """`0.7`, `34`, `1,250`: what is far beyond every limit is not written out."""
    if evidence >= HUGE:
        return "over a million"
    return f"{evidence:,.0f}" if evidence >= 10 else f"{evidence:.1f}"
