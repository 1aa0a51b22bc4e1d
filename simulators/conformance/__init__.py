"""`paybridge conformance`: plays a store's good and bad days at a live register and judges it.

The register is somebody else's program. It is told, or its command is run, which payment to
start; a simulated terminal, a back office and the real bridge do the rest, and only what the
register publishes is looked at.

    transcript  what was heard        rules    what is right and wrong in it, pure
    lessons     what is played        clerk    who starts payments, and pulls plugs
    store       the parts around it   ear      the broker
    findings    what was seen         certificate  the same in words
"""

from simulators.conformance.certificate import certificate
from simulators.conformance.findings import Finding, Report, Verdict
from simulators.conformance.run import ConformanceSettings, conform

__all__ = ["ConformanceSettings", "Finding", "Report", "Verdict", "certificate", "conform"]
