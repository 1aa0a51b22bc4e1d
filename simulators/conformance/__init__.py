"""`paybridge conformance`: plays a store's good and bad days at a live register and judges it.

The register is somebody else's program. It is told, or its command is run, which payment to
start; a simulated terminal, a back office and the real bridge do the rest, and only what the
register publishes is looked at.

    scenarios          what is played            transcript   what the broker delivered
    register_operator  who uses the register     rules        what is right and wrong in it, pure
    environment        the store around it       findings     what was seen
    message_recorder   listens at the broker     certificate  the same in words
"""

from simulators.conformance.certificate import certificate
from simulators.conformance.findings import Finding, Report, Verdict
from simulators.conformance.run import ConformanceSettings, conform

__all__ = ["ConformanceSettings", "Finding", "Report", "Verdict", "certificate", "conform"]
